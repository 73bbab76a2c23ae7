use super::Generations;
use crate::{Catalog, GenerationError, GenerationId, GenerationState, ReadModel, backend::Slot};
use std::time::Duration;

/// How old a generation without complete rows is when it is taken for what a crash left.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(86_400);

impl Generations {
    /// Retires a generation that is not live: there is no way back to it, and its rows go with the next sweep after a grace
    /// period, since it may still be read. One that is not there is retired already.
    pub async fn retire(&self, id: GenerationId) -> Result<(), GenerationError> {
        self.catalog.retire(&self.model, id).await
    }

    /// Discards a candidate: its rows are removed at once, since nobody reads it. One that is not there is discarded
    /// already.
    pub async fn discard(&self, id: GenerationId) -> Result<(), GenerationError> {
        self.retire(id).await?;
        Ok(self.catalog.backend().remove(&self.slot(), id).await?)
    }

    /// Removes the rows of generations that were retired more than `grace` ago.
    pub async fn sweep(&self, grace: Duration) -> Result<Vec<GenerationId>, GenerationError> {
        sweep(&self.catalog, &self.model, grace).await
    }
}

/// Removes the rows of generations that were retired more than `grace` ago, and of those that never became complete.
pub(crate) async fn sweep(
    catalog: &Catalog,
    model: &ReadModel,
    grace: Duration,
) -> Result<Vec<GenerationId>, GenerationError> {
    let mut swept = Vec::new();
    for entry in catalog.generations(model).await? {
        let done_with = match entry.state {
            GenerationState::Retired => entry.age >= grace,
            GenerationState::Creating => entry.age >= grace.max(UNFINISHED_AGE_MAX),
            GenerationState::Ready => false,
        };
        if done_with {
            catalog.backend().remove(&Slot::of(model), entry.id).await?;
            swept.push(entry.id);
        }
    }
    Ok(swept)
}
