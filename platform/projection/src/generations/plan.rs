//! What a replay would do, said before it does anything.
//!
//! What always holds: planning writes nothing and reads a bounded part of the log, however long that is. What cannot be done, for
//! lack of events or of room, is a plan with a refusal and no error.

use super::{Generations, Origin, sample::cut};
use crate::{
    GenerationError, GenerationStatus, PassedOver, SnapshotChoice, SnapshotManifest, SnapshotName,
    snapshot::Wanted,
};
use annals_event::Sequence;
use annals_store::{Head, ReadError, ReadLog};
use serde::{Deserialize, Serialize};

/// How many events of the log are looked at to estimate the rest.
const SAMPLE_EVENTS: usize = 1_000;
/// If the live generation lags by no more sequence numbers than this, the events of the read model among them are counted; if
/// it lags by more, each counts as one.
const COUNTED_MAX: u64 = 10_000;

/// What a replay would do. A promise of nothing: the log grows.
///
/// It is stored in `replay.planned`: no field is renamed, and a new one needs a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The snapshot to begin with; `None`: begin empty.
    pub snapshot: Option<PlannedSnapshot>,
    /// Newer snapshots that are not used, and why; at most [`Plan::PASSED_OVER_MAX`].
    pub passed_over: Vec<PassedOver>,
    /// The first sequence number that is folded.
    pub fold_from: Sequence,
    /// The end of the log when the plan was made.
    pub head: Sequence,
    /// So many events of the read model are between the two, a snapshot's not among them: exactly, unless the live generation
    /// is far behind the log, or its count and the snapshot's begin at two places.
    pub events: u64,
    /// About so many bytes of records are read.
    pub log_bytes: u64,
    /// About so many bytes of disk are needed beside what is there.
    pub disk_bytes: u64,
    /// So many bytes are free on the disk of the data folder; `None`: the system does not say.
    pub disk_bytes_free: Option<u64>,
    /// About so many milliseconds it takes; `None`: nothing was measured yet.
    pub estimated_ms: Option<u64>,
    /// Why it cannot be done. `None`: it can.
    pub refusal: Option<String>,
}

impl Plan {
    /// How many snapshots that are not used a plan names.
    pub const PASSED_OVER_MAX: usize = 20;

    /// What its candidate begins with.
    pub fn origin(&self) -> Origin {
        self.snapshot.as_ref().map_or(Origin::Empty, |snapshot| Origin::Snapshot(snapshot.name))
    }
}

/// A snapshot that a plan begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSnapshot {
    /// Its name.
    pub name: SnapshotName,
    /// The last sequence number in it.
    pub sequence: Sequence,
}

impl Generations {
    /// What a replay from `from` would do: it begins with the newest intact snapshot at or below `from - 1`, whatever
    /// fold made it. `FIRST` begins empty. Touches nothing.
    pub async fn plan(&self, from: Sequence) -> Result<Plan, GenerationError> {
        match self.plan_what_is_there(from).await {
            Err(GenerationError::Log(gone @ ReadError::BelowStart { .. })) => Ok(Plan {
                refusal: Some(format!("retention dropped what is needed: {gone}")),
                ..Plan::default()
            }),
            planned => planned,
        }
    }

    async fn plan_what_is_there(&self, from: Sequence) -> Result<Plan, GenerationError> {
        let head = self.store.head().await?;
        let at_most = from.previous();
        let wanted = Wanted { model: &self.model, fold_version: None, log_id: head.log_id, at_most };
        let SnapshotChoice { chosen, passed_over } = self.snapshots.choose(&*self.store, &wanted).await?;
        let begin = chosen.as_ref().map_or(Sequence::ZERO, SnapshotManifest::checkpoint);
        let live_id = self.live().await?.generation;
        let live = self.status(live_id).await?;
        let sample = self.sample(begin.next(), head).await?;
        let missing = self.events_after(live.checkpoint, head).await?;
        let events = known_events(&live, chosen.as_ref()).saturating_add(missing);
        let snapshot_bytes = chosen.as_ref().map_or(0, |manifest| manifest.rows_bytes);
        // As much again for the WAL while it is written.
        let backend = self.catalog.backend();
        let live_bytes = backend.size_bytes(&self.slot(), live_id).await?;
        let disk_bytes = live_bytes.max(snapshot_bytes).saturating_mul(2);
        let disk_bytes_free = backend.free_bytes().await?;
        let cut = |passed: PassedOver| PassedOver { reason: cut(passed.reason), ..passed };
        let planned = |manifest: SnapshotManifest| PlannedSnapshot {
            name: manifest.name,
            sequence: manifest.checkpoint(),
        };
        Ok(Plan {
            snapshot: chosen.map(planned),
            passed_over: passed_over.into_iter().take(Plan::PASSED_OVER_MAX).map(cut).collect(),
            fold_from: begin.next(),
            head: head.last,
            events,
            log_bytes: events.saturating_mul(sample),
            disk_bytes,
            disk_bytes_free,
            estimated_ms: self.rate.estimated_ms(head.last.get().saturating_sub(begin.get())),
            refusal: lack_of_room(disk_bytes, disk_bytes_free),
        })
    }

    /// How many events of the read model are in the log after `checkpoint`.
    async fn events_after(&self, checkpoint: Sequence, head: Head) -> Result<u64, GenerationError> {
        let lag = head.last.get().saturating_sub(checkpoint.get());
        if lag > COUNTED_MAX {
            return Ok(lag);
        }
        Ok(self.count(checkpoint.max(head.first.previous()), head.last).await?.count)
    }

    /// The average size of an event's record from `from` on. Fails if retention dropped `from`.
    async fn sample(&self, from: Sequence, head: Head) -> Result<u64, GenerationError> {
        if from > head.last {
            return Ok(0);
        }
        let filter = self.model.filter().clone();
        let read = ReadLog { events_max: SAMPLE_EVENTS, ..ReadLog::filtered(from, filter) };
        let page = self.store.read_log(read).await?;
        let average = page.events.size_bytes().checked_div(page.events.len()).unwrap_or(0);
        Ok(u64::try_from(average).unwrap_or(u64::MAX))
    }
}

/// How many events the live generation has that the snapshot has not. Two counts tell it only when they begin at one
/// place; else every sequence number between the two may be one.
fn known_events(live: &GenerationStatus, snapshot: Option<&SnapshotManifest>) -> u64 {
    let (base, count, checkpoint) =
        snapshot.map_or((0, 0, 0), |manifest| (manifest.base, manifest.applied_count, manifest.sequence));
    if live.base.get() == base {
        live.applied.count.saturating_sub(count)
    } else {
        live.checkpoint.get().saturating_sub(checkpoint)
    }
}

/// Why the disk has no room for the candidate, if it has none. What is short there would be short for the live
/// generation and the log as well.
fn lack_of_room(needed: u64, free: Option<u64>) -> Option<String> {
    let free = free.filter(|free| *free < needed)?;
    Some(format!(
        "the candidate needs about {needed} bytes of disk and {free} are free in the folder of the read models; make \
         room, then ask again"
    ))
}
