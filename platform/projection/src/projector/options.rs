use crate::{Catalog, Generations, ReadModel, SnapshotPolicy};
use annals_store::EventStore;
use std::sync::Arc;

/// What a projector works on.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProjectorOptions {
    /// The catalog.
    pub catalog: Catalog,
    /// The read model.
    pub model: ReadModel,
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// When to take snapshots; never by itself when nobody says otherwise.
    pub snapshots: Option<SnapshotPolicy>,
    /// What to do with an event that cannot be applied.
    pub on_error: OnError,
}

/// What to do with an event that a projection cannot apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// Apply all events before it, then stop with an error that names it.
    #[default]
    Stop,
}

impl ProjectorOptions {
    /// Folds `store` into `model` in `catalog`.
    pub fn new(catalog: Catalog, model: ReadModel, store: Arc<dyn EventStore>) -> Self {
        Self { catalog, model, store, snapshots: None, on_error: OnError::Stop }
    }
    /// The generations of the read model, for replays of it.
    pub fn generations(&self) -> Generations {
        Generations::new(self.catalog.clone(), self.model.clone(), self.store.clone())
    }
    /// Takes snapshots.
    #[must_use]
    pub fn snapshots(mut self, policy: SnapshotPolicy) -> Self {
        self.snapshots = Some(policy);
        self
    }
    /// Says what to do with an event that cannot be applied.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }
}
