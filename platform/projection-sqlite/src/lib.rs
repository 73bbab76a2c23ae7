//! Read models in SQLite files: the backend that needs nothing but a folder.
//!
//! ```text
//! catalog.sqlite                              the pointer row of each (read model, schema hash)
//! generations/<read model>/<id>.sqlite        one file a generation
//! scratch/<id>.sqlite                         generations that are looked at and removed
//! snapshots/<read model>/<sequence>-<id>.*    snapshots; another folder where it is opened with one
//! ```
//!
//! Besides what [every backend](annals_projection::backend) keeps:
//!
//! * A generation's file describes itself, so that a copy of it is complete. Several processes may use one folder.
//! * Each use of the catalog checks that its name still belongs to the open file. If the file was deleted or replaced, the catalog
//!   that is there now is opened, or a new one is made. What the lost one listed can be folded from the log.
//! * A process that is stopped within a write transaction holds the file's lock until it goes on or ends; nobody can take the
//!   generation over meanwhile.

mod backend;
mod build;
mod catalog;
mod cells;
mod connect;
mod control;
mod failure;
mod fence;
mod file_id;
mod files;
mod format;
mod native;
mod statements;
pub mod testing;
mod view;
mod writer;

pub use native::{SqlError, Sqlite, connection};

use annals_projection::{Catalog, GenerationError};
use backend::SqliteBackend;
use std::{path::Path, sync::Arc};

/// Opens the catalog in a folder, creating it when there is none. Its snapshots stand in the folder, too.
pub async fn open(folder: impl AsRef<Path>) -> Result<Catalog, GenerationError> {
    open_with(folder.as_ref(), folder.as_ref().join("snapshots")).await
}

/// Opens the catalog in a folder, with its snapshots in a folder of their own: on another disk, for example.
pub async fn open_with(
    folder: impl AsRef<Path>,
    snapshots: impl AsRef<Path>,
) -> Result<Catalog, GenerationError> {
    let backend = SqliteBackend::open(folder.as_ref()).await?;
    Ok(Catalog::new(Arc::new(backend), snapshots.as_ref()))
}
