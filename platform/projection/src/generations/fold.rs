//! Folding the log into a generation that is not live.
//!
//! What always holds: the fold goes on from the generation's own checkpoint, and never beyond the log's end as it was found. Whoever
//! tends a generation that became live is not fenced by a fold that began while it was a candidate.

use super::Generations;
use crate::{
    FoldError, GenerationError, GenerationId, GenerationStatus,
    fold::{Folding, GenerationWriter, Step, Unclaimed},
};
use annals_event::Sequence;
use annals_telemetry::Run;
use std::{fmt, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// How far to fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the log's last event, as it is at the beginning.
    Head,
    /// To this place, which the log has reached: the checkpoint ends exactly there.
    Sequence(Sequence),
}

/// How a fold is steered and watched.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct FoldControl {
    /// Ends the fold after a batch.
    pub cancel: CancellationToken,
    progress: Option<OnProgress>,
}

type OnProgress = Arc<dyn Fn(&GenerationStatus) + Send + Sync>;

/// What a fold came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoldOutcome {
    /// The generation afterwards.
    pub status: GenerationStatus,
    /// Why it ended.
    pub stopped: FoldStopped,
}

/// Why a fold ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldStopped {
    /// It got where it was to go.
    Reached,
    /// It was cancelled. The next fold goes on where this one stopped.
    Cancelled,
}

impl FoldControl {
    /// A fold that nobody watches, ended by `cancel`.
    pub fn new(cancel: CancellationToken) -> Self {
        Self { cancel, progress: None }
    }
    /// Calls `progress` after each batch.
    #[must_use]
    pub fn on_progress(mut self, progress: impl Fn(&GenerationStatus) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }
}

impl fmt::Debug for FoldControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoldControl").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

impl Generations {
    /// Folds the log into a candidate, from its own checkpoint. A generation that is further already stays; the live
    /// one is refused.
    pub async fn fold_to(
        &self,
        id: GenerationId,
        until: Until,
        control: FoldControl,
    ) -> Result<FoldOutcome, GenerationError> {
        let until = match until {
            Until::Head => self.store.head().await?.last,
            Until::Sequence(sequence) => self.within_log(sequence).await?,
        };
        let mut writer = self.claim_candidate(id).await?;
        let (begun, from) = (Instant::now(), writer.checkpoint());
        let stopped = self.drive(&mut writer, until, &control).await?;
        self.rate.note(from, writer.checkpoint(), begun.elapsed());
        let status = writer.status().clone();
        writer.close().await?;
        Ok(FoldOutcome { status, stopped })
    }

    /// `through`, if the log reaches so far. Nobody would know when it will.
    pub(super) async fn within_log(&self, through: Sequence) -> Result<Sequence, GenerationError> {
        let head = self.store.head().await?.last;
        if through > head { Err(GenerationError::BeyondHead { through, head }) } else { Ok(through) }
    }

    /// Folds into `writer` up to `until`.
    pub(super) async fn drive(
        &self,
        writer: &mut GenerationWriter,
        until: Sequence,
        control: &FoldControl,
    ) -> Result<FoldStopped, FoldError> {
        let mut fold = Folding::start(&self.model, &self.store, writer, Run::Replay, until);
        loop {
            match fold.step(writer, &control.cancel).await? {
                Step::Folded { .. } => control.progress.iter().for_each(|progress| progress(writer.status())),
                Step::Reached => return Ok(FoldStopped::Reached),
                Step::Cancelled => return Ok(FoldStopped::Cancelled),
            }
        }
    }

    /// Takes over a generation that is not live.
    pub(super) async fn claim_candidate(
        &self,
        id: GenerationId,
    ) -> Result<GenerationWriter, GenerationError> {
        self.check_usable(id).await?;
        // The store is asked here, where nothing is locked.
        let unclaimed = Unclaimed::open(id, &self.catalog, &self.model, &*self.store).await?;
        let fence = unclaimed.fence().await?;
        // Whoever makes it live from here on takes it over after this claim, for which the fence is still held.
        if self.catalog.live(&self.model).await?.is_some_and(|live| live.generation == id) {
            return Err(GenerationError::Live { id: id.to_string() });
        }
        unclaimed.claim_fenced(fence).await
    }
}
