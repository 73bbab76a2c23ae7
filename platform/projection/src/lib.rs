//! Read models: fold, checkpoint, generations, snapshots; the mechanism of a rebuild.

mod catalog;
mod crash_point;
mod fold;
mod generation;
mod generations;
mod identifier;
mod model;
mod planted;
mod projection;
mod projector;
mod reader;
mod snapshot;
mod sqlite;
mod table;
mod value;

pub use catalog::{Catalog, GenerationEntry, GenerationState, Live};
pub use fold::{EventError, FoldError, Tally};
pub use generation::{GenerationError, GenerationId, GenerationStatus};
pub use generations::{
    CompareOptions, Comparison, Completeness, FoldControl, FoldOutcome, FoldStopped, Generations, Inspection,
    Lease, Origin, PlanFacts, Promotion, Rollback, RowDifference, TableComparison, Until,
};
pub use identifier::{InvalidIdentifier, ModelName};
pub use model::{FoldVersion, ModelError, ReadModel, ReadModelBuilder, SchemaHash};
#[cfg(feature = "planted-bugs")]
pub use planted::plant_checkpoint_outside_transaction;
pub use projection::{ApplyError, SqlProjection, SqlTable, SqlTransaction, TableProjection};
pub use projector::{
    OnError, Progress, Projector, ProjectorError, ProjectorHandle, ProjectorOptions, ProjectorState,
};
pub use reader::{Reader, ReaderError, Readers, WaitError};
pub use snapshot::{
    Refusal, SnapshotChoice, SnapshotError, SnapshotFolder, SnapshotManifest, SnapshotName, SnapshotPolicy,
};
pub use table::{Cells, Column, SEQUENCE_COLUMN, Table, TableError, TableKey, TableSchema, cell};
pub use value::{ColumnKind, ColumnType, KeyColumn, Value, ValueError};
