//! The ways in which a test folds the given events; the rows, or the event that cannot be applied, must be the same.

use super::TestDatabase;
use crate::{
    Catalog, EventError, FoldControl, FoldError, GenerationError, GenerationId, Generations, Origin,
    ReadModel, Reader, Table, Until,
    backend::Target,
    fold::{Feed, FeedOptions, GenerationWriter},
};
use annals_event::Sequence;
use annals_store::EventStore;
use annals_telemetry::Run;
use std::{error::Error, sync::Arc};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    AtOnce,
    OneByOne,
    /// One by one, each delivered twice: once in vain, and once more when it is committed.
    Twice,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::AtOnce, Self::OneByOne, Self::Twice];

    pub(super) fn told(self) -> &'static str {
        match self {
            Self::AtOnce => "folded all at once",
            Self::OneByOne => "folded one by one",
            Self::Twice => "delivered twice",
        }
    }
}

/// A log with the given events, and a catalog for the generations that are folded from it.
pub(super) struct Bench {
    model: ReadModel,
    store: Arc<dyn EventStore>,
    sequences: Vec<Sequence>,
    catalog: Catalog,
    generations: Generations,
    /// What goes with the test.
    _database: Box<dyn std::any::Any + Send + Sync>,
}

impl Bench {
    pub(super) async fn new(
        model: &ReadModel,
        store: Arc<dyn EventStore>,
        database: &dyn TestDatabase,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (catalog, kept) = database.catalog().await?;
        let sequences = super::history::sequences(&*store).await?;
        let generations = Generations::new(catalog.clone(), model.clone(), store.clone());
        Ok(Self { model: model.clone(), store, sequences, catalog, generations, _database: kept })
    }

    /// The rows of `R`'s table.
    pub(super) async fn rows<R: Table>(&self, way: Way) -> Result<Vec<R>, Box<dyn Error + Send + Sync>> {
        let id = GenerationId::generate();
        self.fold(id, way).await?;
        let mut reader = Reader::of(&self.catalog, &self.model, Target::Generation(id)).await?;
        Ok(reader.all().await?)
    }

    /// The event that cannot be applied.
    pub(super) async fn refusal(&self, way: Way) -> Result<Option<EventError>, GenerationError> {
        match self.fold(GenerationId::generate(), way).await {
            Ok(()) => Ok(None),
            Err(GenerationError::Fold(FoldError::Event(error))) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }

    async fn fold(&self, id: GenerationId, way: Way) -> Result<(), GenerationError> {
        self.generations.create(id, Origin::Empty).await?;
        match way {
            Way::AtOnce => drop(self.generations.fold_to(id, Until::Head, FoldControl::default()).await?),
            Way::OneByOne => {
                for sequence in &self.sequences {
                    let until = Until::Sequence(*sequence);
                    self.generations.fold_to(id, until, FoldControl::default()).await?;
                }
            }
            Way::Twice => self.deliver_twice(id).await?,
        }
        Ok(())
    }

    async fn deliver_twice(&self, id: GenerationId) -> Result<(), GenerationError> {
        let mut writer = GenerationWriter::claim(id, &self.catalog, &self.model, &*self.store).await?;
        for until in &self.sequences {
            let (model, store) = (self.model.clone(), self.store.clone());
            let mut feed = Feed::start(FeedOptions { model, store, place: writer.place(), until: *until });
            while let Some(batch) = feed.next().await {
                let batch = batch?;
                writer.apply_in_vain(&batch, Run::Replay).await?;
                let again = batch.again(&self.model).map_err(FoldError::Event)?;
                writer.apply(&again, Run::Replay).await?;
                let committed = writer.status().clone();
                let rows = writer.apply(&again, Run::Replay).await?;
                assert!(
                    rows == 0 && *writer.status() == committed,
                    "an event was folded below the checkpoint"
                );
            }
        }
        Ok(writer.close().await?)
    }
}
