//! What can go wrong, in words for whoever has to do something about it.

mod fold;
mod generation;
mod model;
mod snapshot;

pub use fold::{EventError, EventFault, FoldError};
pub use generation::GenerationError;
pub use model::ModelError;
pub use snapshot::SnapshotError;
