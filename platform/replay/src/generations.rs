//! The read models of `annals-projection`, as replays see them: each step is a building block of
//! [`Generations`], its facts and errors put into the words of a replay.

use crate::{Difference, HostError, PassedOver, Plan, PlannedSnapshot, Promotion, ReadModelHost, RowSample};
use annals_event::Sequence;
use annals_projection::{
    CompareOptions, Comparison, FoldControl, FoldStopped, GenerationError, GenerationId, Generations, Origin,
    PlanFacts, RowDifference, TableComparison, Until, Value,
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
        let snapshot = facts
            .snapshot
            .map(|manifest| PlannedSnapshot { sequence: manifest.checkpoint().get(), name: manifest.name });
        let passed_over = facts.refused.into_iter();
        let passed_over =
            passed_over.map(|refused| PassedOver { name: refused.name.to_string(), reason: refused.reason });
        Plan {
            snapshot,
            passed_over: passed_over.collect(),
            fold_from: facts.fold_from.get(),
            head: facts.head.get(),
            events: facts.events_estimate,
            log_bytes: facts.bytes_estimate,
            disk_bytes: facts.disk_bytes_estimate,
            estimated_ms: self
                .estimated_ms(facts.head.get().saturating_sub(facts.fold_from.previous().get())),
            refusal: None,
        }
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
        let live = self.generations.live().await.map_err(failed)?;
        Ok(self.generations.status(live.generation).await.map_err(failed)?.checkpoint)
    }

    async fn checkpoint(&self, generation: &str) -> Result<Option<Sequence>, HostError> {
        let found = self.generations.find(id(generation)?).await.map_err(failed)?;
        Ok(found.map(|status| status.checkpoint))
    }

    async fn verify(&self, candidate: &str, cancel: &CancellationToken) -> Result<Difference, HostError> {
        let id = id(candidate)?;
        let mut options = CompareOptions::default();
        options.control = FoldControl::new(cancel.clone());
        let compared = self.generations.compare(id, options).await.map_err(failed)?;
        let comparison = compared.ok_or(HostError::Cancelled)?;
        let counted = self.generations.completeness(id).await.map_err(failed)?;
        if !counted.is_complete() {
            return Err(HostError::Failed(format!(
                "the candidate is not complete: from {} to {} it counts {} events, the log has {}{}",
                counted.base.next(),
                counted.through,
                counted.found.count,
                counted.expected.count,
                if counted.found.count == counted.expected.count { " others" } else { "" },
            )));
        }
        Ok(difference(&comparison, counted.found.count))
    }

    async fn promote(&self, candidate: &str) -> Result<Promotion, HostError> {
        let promoted = self.generations.promote(id(candidate)?).await.map_err(failed)?;
        let replaced = promoted.replaced.map(|id| id.to_string()).unwrap_or_default();
        Ok(Promotion { replaced, checkpoint: promoted.checkpoint })
    }

    async fn roll_back(&self, _candidate: &str, former: &str) -> Result<u64, HostError> {
        Ok(self.generations.rollback(id(former)?).await.map_err(failed)?.behind)
    }

    async fn discard(&self, generation: &str) -> Result<(), HostError> {
        self.generations.discard(id(generation)?).await.map_err(failed)
    }
}

fn id(generation: &str) -> Result<GenerationId, HostError> {
    generation.parse().map_err(|_| HostError::Failed(format!("{generation:?} is no id of a generation")))
}

fn failed(error: GenerationError) -> HostError {
    if error.is_transient() {
        HostError::Unavailable(error.to_string())
    } else {
        HostError::Failed(error.to_string())
    }
}

fn difference(comparison: &Comparison, complete_events: u64) -> Difference {
    let sum = |of: fn(&TableComparison) -> u64| comparison.tables.iter().map(of).sum();
    let samples =
        comparison.tables.iter().flat_map(|table| table.samples.iter().map(|row| sample(&table.table, row)));
    Difference {
        sequence: comparison.at.get(),
        added: sum(|table| table.added),
        removed: sum(|table| table.removed),
        changed: sum(|table| table.changed),
        same: sum(|table| table.same),
        complete_events,
        samples: samples.collect(),
    }
}

fn sample(table: &str, row: &RowDifference) -> RowSample {
    RowSample {
        table: table.to_owned(),
        key: cells(&row.key),
        live: row.live.as_deref().map(cells),
        candidate: row.candidate.as_deref().map(cells),
    }
}

/// `column=value` of each cell, the values as SQL literals.
fn cells(cells: &[(String, Value)]) -> String {
    cells.iter().map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(", ")
}
