use super::Generations;
use crate::{
    FoldVersion, GenerationError, GenerationId, GenerationStatus, Refusal, SnapshotManifest, snapshot::Wanted,
};
use annals_event::Sequence;
use annals_store::{Head, ReadLog};

/// How many events of the log are looked at to estimate the rest.
const SAMPLE_EVENTS: usize = 1_000;
/// Of so many sequence numbers behind the live generation those that the read model wants are counted; of more, each may be
/// one.
const COUNTED_MAX: u64 = 10_000;

/// What is known before a replay begins. Nothing was touched to find it out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanFacts {
    /// The snapshot to begin with; `None`: begin empty.
    pub snapshot: Option<SnapshotManifest>,
    /// Newer snapshots, and why they are not used.
    pub refused: Vec<Refusal>,
    /// The first sequence number that is folded.
    pub fold_from: Sequence,
    /// The first that is still in the log.
    pub first: Sequence,
    /// The log's last.
    pub head: Sequence,
    /// So many events of the read model are between the two: exactly, unless the live generation is far behind the log, or its
    /// count and the snapshot's begin at two places.
    pub events_estimate: u64,
    /// About so many bytes of records they have.
    pub bytes_estimate: u64,
    /// About so many bytes of disk the candidate needs beside what is there.
    pub disk_bytes_estimate: u64,
    /// So many bytes are free on the disk of the data folder; `None`: the system does not say.
    pub disk_bytes_free: Option<u64>,
    /// The fold version of the live generation.
    pub live_fold_version: FoldVersion,
}

impl Generations {
    /// What a replay from `from` would do: it begins with the newest intact snapshot at or below `from - 1`, whatever
    /// fold made it. `FIRST` begins empty.
    ///
    /// If retention dropped what would have to be folded, this is a [`ReadError::BelowStart`](annals_store::ReadError)
    /// that names what is left.
    pub async fn plan(&self, from: Sequence) -> Result<PlanFacts, GenerationError> {
        let head = self.store.head().await?;
        let at_most = from.previous();
        let wanted = Wanted { model: &self.model, fold_version: None, log_id: head.log_id, at_most };
        let choice = self.snapshots.choose(&*self.store, &wanted).await?;
        let begin = choice.chosen.as_ref().map_or(Sequence::ZERO, SnapshotManifest::checkpoint);
        let live_id = self.live().await?.generation;
        let live = self.status(live_id).await?;
        let sample = self.sample(begin.next(), head).await?;
        let behind = self.behind(live.checkpoint, head).await?;
        let events = known_events(&live, choice.chosen.as_ref()).saturating_add(behind);
        let live_bytes = self.file_bytes(live_id);
        let snapshot_bytes = choice.chosen.as_ref().map_or(0, |manifest| manifest.database_bytes);
        Ok(PlanFacts {
            snapshot: choice.chosen,
            refused: choice.refused,
            fold_from: begin.next(),
            first: head.first,
            head: head.last,
            events_estimate: events,
            bytes_estimate: events.saturating_mul(sample),
            // As much again for the WAL while it is written.
            disk_bytes_estimate: live_bytes.max(snapshot_bytes).saturating_mul(2),
            disk_bytes_free: self.catalog.free_bytes(),
            live_fold_version: live.fold_version,
        })
    }

    /// How many events of the read model are in the log behind `checkpoint`.
    async fn behind(&self, checkpoint: Sequence, head: Head) -> Result<u64, GenerationError> {
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

    /// What a generation takes on the disk, with what was not copied back into its file yet.
    fn file_bytes(&self, id: GenerationId) -> u64 {
        let path = self.path(id);
        let wal = path.with_extension("sqlite-wal");
        [path, wal].iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum()
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
