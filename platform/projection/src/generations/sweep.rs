use super::{Generations, create::remove_generation};
use crate::{Catalog, GenerationError, GenerationId, GenerationState, ReadModel};
use std::time::Duration;

/// How old a generation without a complete file is when it is taken for what a crash left.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(86_400);

impl Generations {
    /// Retires a generation that is not live: there is no way back to it, and its file goes with the next sweep after a grace
    /// period, since it may still be read. One that is not there is retired already.
    pub async fn retire(&self, id: GenerationId) -> Result<(), GenerationError> {
        self.catalog.retire(&self.model, id).await
    }

    /// Discards a candidate: its file is removed at once, since nobody reads it. One that is not there is discarded
    /// already.
    pub async fn discard(&self, id: GenerationId) -> Result<(), GenerationError> {
        self.retire(id).await?;
        remove_generation(&self.path(id))?;
        self.catalog.remove(id).await
    }

    /// Removes the files of generations that were retired more than `grace` ago.
    pub async fn sweep(&self, grace: Duration) -> Result<Vec<GenerationId>, GenerationError> {
        sweep(&self.catalog, &self.model, grace).await
    }
}

/// Removes the files of generations that were retired more than `grace` ago, and of those that never became complete.
/// Their entries in the catalog go last, so that a crash in between leaves work for the next time and nothing without a name.
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
            remove_generation(&catalog.generation_path(model.name(), entry.id))?;
            catalog.remove(entry.id).await?;
            swept.push(entry.id);
        }
    }
    Ok(swept)
}
