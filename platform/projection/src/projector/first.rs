//! The first generation of a read model, or the next one if its rows were deleted.

use super::ProjectorOptions;
use crate::{
    GenerationError, GenerationId, Live, Origin,
    backend::{Purpose, Slot},
};
use tracing::error;

/// What is live. Makes an empty generation live if none is, or if the live one's rows are gone. Nothing is lost: the rows are
/// folded from the log.
pub(super) async fn find_or_create(options: &ProjectorOptions) -> Result<Live, GenerationError> {
    let ProjectorOptions { catalog, model, .. } = options;
    let found = catalog.live(model).await?;
    if let Some(live) = found
        && catalog.backend().instance(&Slot::of(model), live.generation).await?.is_some()
    {
        return Ok(live);
    }
    let first = GenerationId::generate();
    options.generations().make(first, Origin::Empty, Purpose::Live).await?;
    let live = match found {
        None => catalog.make_first_live(model, first).await?,
        Some(lost) => {
            error!(read_model = %model.name(), generation = %lost.generation, "the live generation's rows are gone; the read model is rebuilt from the log");
            match catalog.flip(model, lost, first).await {
                Ok(_) => catalog.retire(model, lost.generation).await?,
                Err(GenerationError::PointerMoved) => {}
                Err(error) => return Err(error),
            }
            catalog.live(model).await?.ok_or(GenerationError::PointerMoved)?
        }
    };
    if live.generation != first {
        // Somebody else was faster.
        catalog.retire(model, first).await?;
    }
    Ok(live)
}
