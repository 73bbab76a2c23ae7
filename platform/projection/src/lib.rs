//! Read models: the log, folded into tables that are queried.
//!
//! ```text
//!   log ──▶ decode (other threads) ──▶ fold in memory ──▶ rows + checkpoint + counts, one transaction
//!                                                              │
//!                        a generation of the read model ◀──────────────┘
//!                   ▲
//!          catalog ─┘  the pointer row says which one is live            readers: one snapshot of what is live
//! ```
//!
//! A [`ReadModel`] is one or more tables, each with the [`Fold`] that says how events change its rows; a [`Projector`] folds
//! the log into its live generation; a [`Reader`] is one consistent view of it; [`Generations`] are the building blocks of a
//! replay.
//!
//! What always holds:
//!
//! * Rows, checkpoint, epoch and counts of a generation change in one transaction. A power cut undoes them together, and the
//!   events are folded again.
//! * The checkpoint moves by compare-and-set on the writer's epoch: of two writers only the one that took over last
//!   writes, and the other stops.
//! * Every row carries the sequence number of the event that last changed it.
//! * The pointer row is the truth about what is live. A promoted generation contains at least what the previous one
//!   contained, so no sequence of readers sees a mix, an empty table or a step back.
//! * A generation, and each snapshot of it, has the log's chain value at its checkpoint. If the store holds another log, or
//!   another history of it, nothing more is folded into the generation and no generation begins with the snapshot; the rows can
//!   be read until a replay has rebuilt them. Where the store keeps no fingerprints, or retention dropped the event at the
//!   checkpoint, only the log's id and length are compared.
//! * Readers are never bound to rows that were deleted or replaced, and the projector then rebuilds the read model from the log.
//! * Nothing that fails while a candidate is built touches the live generation or the log.
//!
//! The words for a generation's life:
//!
//! | word | meaning |
//! |---|---|
//! | create | make it, empty or from a snapshot; it is a *candidate* from then on |
//! | promote | make a candidate the *live* generation; the one that was live is the *previous* one, kept up to date |
//! | roll back | make the previous generation live again |
//! | retire | let go of the previous generation: there is no way back to it, and its rows stay a while for readers |
//! | discard | let go of a candidate, which nobody reads: its rows are removed at once |
//! | sweep | remove retired generations, and those that a crash left unfinished |
//!
//! The database is a [`Backend`](backend::Backend), in a crate of its own; nothing here knows which one it is.
//!
//! What it is not: the epoch protects a generation from two writers, but does not elect one. Parked events are counted, but
//! no policy parks any yet.

pub mod backend;
mod catalog;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod fold;
mod generation;
mod generations;
mod identifier;
mod model;
mod packed;
mod projection;
mod projector;
mod query;
mod reader;
mod scan;
mod snapshot;
mod table;
pub mod testing;
mod unit;
mod value;
mod version;

pub use backend::{DatabaseError, GenerationEntry, GenerationState, GenerationStatus, Lease, Live};
pub use catalog::Catalog;
pub use error::{EventError, EventFault, FoldError, GenerationError, ModelError, SnapshotError};
pub use generation::{GenerationId, Tally};
pub use generations::{
    Completeness, Difference, FoldControl, FoldOutcome, FoldStopped, Generations, Inspection, Origin, Plan,
    PlannedSnapshot, Promotion, Rollback, RowSample, Until,
};
pub use identifier::{InvalidIdentifier, ModelName};
pub use model::{ReadModel, ReadModelBuilder};
pub use projection::{ApplyError, Database, SqlProjection, SqlTable, TableProjection};
pub use projector::{OnError, Projector, ProjectorError, ProjectorHandle, ProjectorOptions};
pub use query::{
    Columns, Cursor, InvalidCursor, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, Page, Parameter, Parameters,
    QUERY_KEYS_MAX, QUERY_ROWS_MAX, QueryError, Select,
};
pub use reader::{Reader, ReaderError, Readers, WaitError};
pub use snapshot::{
    PassedOver, SnapshotChoice, SnapshotFolder, SnapshotManifest, SnapshotName, SnapshotPolicy,
};
pub use table::{Cells, Column, SEQUENCE_COLUMN, Table, TableError, TableKey, TableSchema, cell, fits};
pub use unit::{Fold, Lookup};
pub use value::{ColumnKind, ColumnType, KeyColumn, Value, ValueError};
pub use version::{FoldVersion, SchemaHash};

/// What the code names that `#[derive(Table)]` makes. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::{Cells, Column, Select, Table, TableError, TableSchema, Value, cell, fits};
    pub use std::{clone::Clone, option::Option, result::Result, vec::Vec};
}
