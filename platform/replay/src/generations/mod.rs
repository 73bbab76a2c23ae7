//! The read models of `annals-projection`, as replays see them: each step is a building block of
//! [`Generations`], its facts and errors put into the words of a replay.

mod words;

use crate::{Difference, Garbage, HostError, Lease, Plan, Promotion, ReadModelHost};
use annals_event::Sequence;
use annals_projection::{
    CompareOptions, FoldControl, FoldError, FoldStopped, GenerationError, GenerationId, Generations, Origin,
    PlanFacts, Until,
};
use annals_store::ReadError;
use async_trait::async_trait;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A fold of fewer sequence numbers says nothing about how fast a longer one is.
const RATED_EVENTS_MIN: u64 = 1_000;

/// Hosts replays of one read model.
pub struct GenerationsHost {
    generations: Generations,
    /// Sequence numbers that the last long fold did in a second; 0: there was none yet.
    events_per_second: AtomicU64,
}

impl GenerationsHost {
    /// Hosts replays of the read model of `generations`.
    pub fn new(generations: Generations) -> Self {
        Self { generations, events_per_second: AtomicU64::new(0) }
    }

    fn estimated_ms(&self, events: u64) -> Option<u64> {
        events.saturating_mul(1_000).checked_div(self.events_per_second.load(Ordering::Relaxed))
    }

    fn plan_of(&self, facts: PlanFacts) -> Plan {
        let fold = facts.head.get().saturating_sub(facts.fold_from.previous().get());
        let refusal = lack_of_room(&facts);
        let passed_over = facts.refused.into_iter().take(Plan::PASSED_OVER_MAX);
        Plan {
            snapshot: facts.snapshot.map(words::planned),
            passed_over: passed_over.map(words::passed_over).collect(),
            fold_from: facts.fold_from.get(),
            head: facts.head.get(),
            events: facts.events_estimate,
            log_bytes: facts.bytes_estimate,
            disk_bytes: facts.disk_bytes_estimate,
            estimated_ms: self.estimated_ms(fold),
            refusal,
        }
    }

    async fn is_live(&self, id: GenerationId) -> Result<bool, HostError> {
        Ok(self.generations.live().await.map_err(failed)?.generation == id)
    }

    async fn compare_and_count(&self, id: GenerationId) -> Result<Difference, HostError> {
        let compared = self.generations.compare(id, CompareOptions::default()).await.map_err(failed)?;
        let comparison = compared.ok_or(HostError::Cancelled)?;
        let counted = self.generations.completeness(id).await.map_err(failed)?;
        if counted.is_complete() {
            return Ok(words::difference(&comparison, &counted));
        }
        Err(HostError::Failed(format!(
            "the candidate is not complete: from {} to {} it counts {} events, the log has {}{}",
            counted.base.next(),
            counted.through,
            counted.found.count,
            counted.expected.count,
            if counted.found.count == counted.expected.count { " others" } else { "" },
        )))
    }

    async fn fold_measured(
        &self,
        id: GenerationId,
        until: Sequence,
        cancel: &CancellationToken,
    ) -> Result<Sequence, HostError> {
        let before = self.generations.status(id).await.map_err(failed)?.checkpoint;
        let begun = Instant::now();
        let control = FoldControl::new(cancel.clone());
        let folded = self.generations.fold_to(id, Until::Sequence(until), control).await.map_err(failed)?;
        let done = folded.status.checkpoint.get().saturating_sub(before.get());
        let elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        if done >= RATED_EVENTS_MIN {
            self.events_per_second.store(done.saturating_mul(1_000_000) / elapsed_us, Ordering::Relaxed);
        }
        match folded.stopped {
            FoldStopped::Reached => Ok(folded.status.checkpoint),
            FoldStopped::Cancelled => Err(HostError::Cancelled),
        }
    }
}

#[async_trait]
impl ReadModelHost for GenerationsHost {
    fn read_model(&self) -> &str {
        self.generations.model().name().as_str()
    }

    async fn lease(&self) -> Result<Option<Lease>, HostError> {
        Ok(self.generations.try_lease().map_err(failed)?.map(Lease::new))
    }

    async fn plan(&self, from: Sequence) -> Result<Plan, HostError> {
        match self.generations.plan(from).await {
            Ok(facts) => Ok(self.plan_of(facts)),
            Err(GenerationError::Log(gone @ ReadError::BelowStart { .. })) => Ok(Plan {
                refusal: Some(format!("retention dropped what is needed: {gone}")),
                ..Plan::default()
            }),
            Err(error) => Err(failed(error)),
        }
    }

    async fn restore(&self, candidate: &str, plan: &Plan) -> Result<Sequence, HostError> {
        let origin = match &plan.snapshot {
            Some(snapshot) => Origin::Snapshot(snapshot.name.parse().map_err(HostError::Failed)?),
            None => Origin::Empty,
        };
        let created = self.generations.create(id(candidate)?, origin).await.map_err(failed)?;
        Ok(created.checkpoint)
    }

    async fn fold(
        &self,
        candidate: &str,
        until: Sequence,
        cancel: &CancellationToken,
    ) -> Result<Sequence, HostError> {
        self.fold_measured(id(candidate)?, until, cancel).await
    }

    async fn live_checkpoint(&self) -> Result<Sequence, HostError> {
        self.generations.live_reach().await.map_err(failed)
    }

    async fn checkpoint(&self, generation: &str) -> Result<Option<Sequence>, HostError> {
        let found = self.generations.find(id(generation)?).await.map_err(failed)?;
        Ok(found.map(|status| status.checkpoint))
    }

    async fn verify(&self, candidate: &str, cancel: &CancellationToken) -> Result<Difference, HostError> {
        // The live side is only read, and what is folded into the candidate is folded whole or not: it can be left
        // anywhere.
        let verified = cancel.run_until_cancelled(self.compare_and_count(id(candidate)?)).await;
        verified.unwrap_or(Err(HostError::Cancelled))
    }

    async fn rehearse(
        &self,
        candidate: &str,
        through: Sequence,
        cancel: &CancellationToken,
    ) -> Result<(), HostError> {
        let control = FoldControl::new(cancel.clone());
        match self.generations.rehearse(id(candidate)?, through, control).await.map_err(failed)? {
            FoldStopped::Reached => Ok(()),
            FoldStopped::Cancelled => Err(HostError::Cancelled),
        }
    }

    async fn promote(&self, candidate: &str) -> Result<Promotion, HostError> {
        let id = id(candidate)?;
        let promoted = match self.generations.promote(id).await {
            Ok(promoted) => promoted,
            // The pointer may have been moved all the same: then there is nothing to fail.
            Err(_) if self.is_live(id).await? => self.generations.promote(id).await.map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        let replaced = promoted.replaced.map(|id| id.to_string());
        Ok(Promotion { replaced, checkpoint: promoted.checkpoint })
    }

    async fn roll_back(&self, _candidate: &str, former: &str) -> Result<u64, HostError> {
        Ok(self.generations.rollback(id(former)?).await.map_err(failed)?.behind)
    }

    async fn discard(&self, garbage: Garbage<'_>) -> Result<(), HostError> {
        let id = id(garbage.generation())?;
        let given_up = match garbage {
            Garbage::Candidate(_) => self.generations.remove(id).await,
            Garbage::Former(_) => self.generations.discard(id).await,
        };
        given_up.map_err(failed)
    }
}

/// Why the disk has no room for the candidate, if it has none. What is short there would be short for the live
/// generation and the log as well.
fn lack_of_room(facts: &PlanFacts) -> Option<String> {
    let needed = facts.disk_bytes_estimate;
    let free = facts.disk_bytes_free.filter(|free| *free < needed)?;
    Some(format!(
        "the candidate needs about {needed} bytes of disk and {free} are free in the folder of the read models; make \
         room, then ask again"
    ))
}

fn id(generation: &str) -> Result<GenerationId, HostError> {
    generation.parse().map_err(|_| HostError::Failed(format!("{generation:?} is no id of a generation")))
}

fn failed(error: GenerationError) -> HostError {
    use GenerationError::{Fold, PointerMoved};
    // Somebody else was at the same generation or pointer at the same time: the next look shows what is left to do.
    let overtaken = matches!(error, PointerMoved | Fold(FoldError::Fenced { .. }));
    if overtaken || error.is_transient() {
        HostError::Unavailable(error.to_string())
    } else {
        HostError::Failed(error.to_string())
    }
}
