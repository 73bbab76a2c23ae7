//! The catalog of a deployment: which generations there are, and which one is live. It lies in one database, its [`Backend`],
//! and its snapshots in a folder beside it.
//!
//! The pointer row is the truth about what is live; a generation never says so of itself. It changes by compare-and-set on its
//! epoch, durably: a crash leaves the old one or the new one.

use crate::{
    GenerationEntry, GenerationError, GenerationId, Live, ModelName, ReadModel,
    backend::{Backend, Change, DatabaseError, Slot},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// How often a change of the pointer is tried again because somebody else was faster.
const CHANGES_MAX: usize = 10;

/// The generations of a deployment. Cloning it gives another handle to the same catalog.
#[derive(Clone)]
pub struct Catalog {
    backend: Arc<dyn Backend>,
    snapshots: Arc<Path>,
}

impl Catalog {
    /// The catalog in `backend`, with its snapshots in this folder.
    pub fn new(backend: Arc<dyn Backend>, snapshots: impl Into<PathBuf>) -> Self {
        Self { backend, snapshots: snapshots.into().into() }
    }

    /// The database.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        self.backend.place()
    }

    /// What is live of a read model with these tables; `None`: it was never started here.
    pub async fn live(&self, model: &ReadModel) -> Result<Option<Live>, GenerationError> {
        Ok(self.backend.live(&Slot::of(model)).await?)
    }

    /// Every generation of a read model with these tables, oldest first.
    pub async fn generations(&self, model: &ReadModel) -> Result<Vec<GenerationEntry>, GenerationError> {
        Ok(self.backend.generations(&Slot::of(model)).await?)
    }

    pub(crate) fn snapshots_folder(&self, model: &ModelName) -> PathBuf {
        self.snapshots.join(model.as_folder())
    }

    /// Wakes when a pointer may have changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.backend.changes()
    }

    /// What the catalog says of a generation.
    pub(crate) async fn entry(
        &self,
        model: &ReadModel,
        id: GenerationId,
    ) -> Result<Option<GenerationEntry>, GenerationError> {
        Ok(self.generations(model).await?.into_iter().find(|entry| entry.id == id))
    }

    /// Makes `id` live if nothing is. Gives what is live then.
    pub(crate) async fn make_first_live(
        &self,
        model: &ReadModel,
        id: GenerationId,
    ) -> Result<Live, GenerationError> {
        let slot = Slot::of(model);
        let first = Live { generation: id, previous: None, epoch: 1 };
        let change = Change { slot: slot.clone(), expect: None, set: Some(first), retire: Vec::new() };
        match self.backend.change(&change).await {
            Ok(()) => Ok(first),
            Err(DatabaseError::Moved) => self.backend.live(&slot).await?.ok_or(GenerationError::PointerMoved),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes `to` live instead of what `from` says.
    pub(crate) async fn flip(
        &self,
        model: &ReadModel,
        from: Live,
        to: GenerationId,
    ) -> Result<Live, GenerationError> {
        let (change, flipped) = flip(model, from, to);
        self.backend.change(&change).await?;
        Ok(flipped)
    }

    /// Retires a generation that is not live. Doing it twice is the same.
    pub(crate) async fn retire(&self, model: &ReadModel, id: GenerationId) -> Result<(), GenerationError> {
        let slot = Slot::of(model);
        for _ in 0..CHANGES_MAX {
            let live = self.backend.live(&slot).await?;
            if live.is_some_and(|live| live.generation == id) {
                return Err(GenerationError::InUse { id: id.to_string() });
            }
            let set = live.filter(|live| live.previous == Some(id)).map(|live| Live {
                previous: None,
                epoch: live.epoch + 1,
                ..live
            });
            let change = Change { slot: slot.clone(), expect: live, set, retire: vec![id] };
            match self.backend.change(&change).await {
                Err(DatabaseError::Moved) => {}
                changed => return Ok(changed?),
            }
        }
        Err(GenerationError::PointerMoved)
    }
}

/// The change that makes `to` live instead of what `from` says, and the pointer afterwards: what was live is the previous
/// generation then, and what was the previous one until then is retired.
pub(crate) fn flip(model: &ReadModel, from: Live, to: GenerationId) -> (Change, Live) {
    let flipped = Live { generation: to, previous: Some(from.generation), epoch: from.epoch + 1 };
    let retire = from.previous.filter(|oldest| *oldest != to).into_iter().collect();
    let change = Change { slot: Slot::of(model), expect: Some(from), set: Some(flipped), retire };
    (change, flipped)
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Catalog({})", self.place())
    }
}
