use super::{Generations, create::remove_generation};
use crate::{Catalog, GenerationError, GenerationId, GenerationState, ReadModel};
use std::time::Duration;

/// How old a generation without a complete file is when it is taken for what a crash left behind.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(86_400);

impl Generations {
    /// Gives up a generation that is not live; afterwards there is no rollback to it. Its file goes when it was given
    /// up long enough ago that nobody reads it any more. One that is not there is given up already.
    pub async fn discard(&self, id: GenerationId) -> Result<(), GenerationError> {
        self.catalog.discard(&self.model, id).await
    }

    /// Gives up a generation that never was live, and removes its file at once: nobody reads it. One that is not there
    /// is removed already.
    pub async fn remove(&self, id: GenerationId) -> Result<(), GenerationError> {
        self.discard(id).await?;
        remove_generation(&self.path(id))?;
        self.catalog.forget(id).await
    }

    /// Removes the files of generations that were given up more than `grace` ago.
    pub async fn sweep(&self, grace: Duration) -> Result<Vec<GenerationId>, GenerationError> {
        sweep(&self.catalog, &self.model, grace).await
    }
}

/// Removes the files of generations that were given up more than `grace` ago, and of those that never became complete.
/// The catalog forgets them last, so that a crash in between leaves work for the next time and nothing without a name.
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
            catalog.forget(entry.id).await?;
            swept.push(entry.id);
        }
    }
    Ok(swept)
}
