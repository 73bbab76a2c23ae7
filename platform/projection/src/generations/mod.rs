//! The building blocks of a replay of one read model. The caller decides their order; each is safe by itself:
//!
//! * Nothing here writes the live generation's rows. Only [`Generations::promote`] and [`Generations::roll_back`] move
//!   the pointer, and only in a step that is done or not done.
//! * Each may be repeated, even after a kill in the middle of it: it continues, or finds its work done.
//! * A candidate has an epoch of its own. If two workers fold it, the second fences the first.

mod complete;
mod create;
mod fold;
mod inspect;
mod merge;
mod plan;
mod promote;
mod rate;
mod sample;
mod sweep;
mod verify;

pub use complete::Completeness;
pub use create::Origin;
pub use fold::{FoldControl, FoldOutcome, FoldStopped, Until};
pub use inspect::Inspection;
pub use plan::{Plan, PlannedSnapshot};
pub use promote::{Promotion, Rollback};
pub use sample::RowSample;
pub(crate) use sweep::sweep;
pub use verify::Difference;

use crate::{
    Catalog, GenerationEntry, GenerationError, GenerationId, GenerationState, GenerationStatus, Live,
    ReadModel, SnapshotFolder, SnapshotManifest,
    backend::{Lease, Slot, Target, View},
};
use annals_event::Sequence;
use annals_store::EventStore;
use std::{fmt, sync::Arc};

/// The generations of one read model. Cloning it gives another handle.
#[derive(Clone)]
pub struct Generations {
    catalog: Catalog,
    model: ReadModel,
    store: Arc<dyn EventStore>,
    snapshots: SnapshotFolder,
    rate: rate::Rate,
}

impl Generations {
    /// The generations of `model` in the data folder of `catalog`, folded from `store`.
    pub fn new(catalog: Catalog, model: ReadModel, store: Arc<dyn EventStore>) -> Self {
        let snapshots = SnapshotFolder::new(catalog.snapshots_folder(model.name()));
        Self { catalog, model, store, snapshots, rate: Default::default() }
    }

    /// The read model.
    pub fn model(&self) -> &ReadModel {
        &self.model
    }

    /// Its snapshots.
    pub fn snapshots(&self) -> &SnapshotFolder {
        &self.snapshots
    }

    /// Takes the right to build candidates; `None`: another worker has it, here or in another process.
    pub async fn try_lease(&self) -> Result<Option<Lease>, GenerationError> {
        Ok(self.catalog.backend().try_lease(self.model.name()).await?)
    }

    /// What is live.
    pub async fn live(&self) -> Result<Live, GenerationError> {
        let live = self.catalog.live(&self.model).await?;
        live.ok_or_else(|| GenerationError::NoneLive { model: self.model.name().to_string() })
    }

    /// Every generation, oldest first.
    pub async fn list(&self) -> Result<Vec<GenerationEntry>, GenerationError> {
        self.catalog.generations(&self.model).await
    }

    /// What a generation says of itself; `None`: there is none of this id, or its file is not complete.
    pub async fn find(&self, id: GenerationId) -> Result<Option<GenerationStatus>, GenerationError> {
        match self.catalog.entry(&self.model, id).await? {
            Some(entry) if entry.state == GenerationState::Ready => Ok(Some(self.status(id).await?)),
            _ => Ok(None),
        }
    }

    /// What a generation says of itself.
    pub async fn status(&self, id: GenerationId) -> Result<GenerationStatus, GenerationError> {
        Ok(self.view(id).await?.status().clone())
    }

    /// A view of a generation that is complete and not retired.
    async fn view(&self, id: GenerationId) -> Result<Box<dyn View>, GenerationError> {
        self.check_usable(id).await?;
        Ok(self.catalog.backend().view(&self.slot(), Target::Generation(id)).await?)
    }

    /// How far the live generation and the log both go, which is as far as a candidate can be compared with it. The log
    /// ends before it when it was restored from a backup.
    pub async fn live_reach(&self) -> Result<Sequence, GenerationError> {
        let live = self.live().await?;
        let checkpoint = self.status(live.generation).await?.checkpoint;
        self.reach(checkpoint).await
    }

    /// How far the log goes, at most to `checkpoint`.
    async fn reach(&self, checkpoint: Sequence) -> Result<Sequence, GenerationError> {
        Ok(checkpoint.min(self.store.head().await?.last))
    }

    /// Takes a snapshot of the live generation.
    pub async fn take_snapshot(&self) -> Result<SnapshotManifest, GenerationError> {
        let live = self.live().await?;
        let view = self.view(live.generation).await?;
        self.snapshots.take(view, self.model.schema()).await
    }

    fn slot(&self) -> Slot {
        Slot::of(&self.model)
    }

    /// An error if a generation is not complete, or was retired.
    async fn check_usable(&self, id: GenerationId) -> Result<(), GenerationError> {
        let entry = self.catalog.entry(&self.model, id).await?;
        let unknown =
            || GenerationError::Unknown { id: id.to_string(), model: self.model.name().to_string() };
        match entry.ok_or_else(unknown)?.state {
            GenerationState::Ready => Ok(()),
            state => Err(GenerationError::Unusable { id: id.to_string(), state: state.to_string() }),
        }
    }
}

impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generations({:?})", self.model)
    }
}
