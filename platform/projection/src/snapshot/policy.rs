use super::{SnapshotFolder, SnapshotManifest};
use crate::{GenerationError, GenerationId, GenerationStatus, ModelName, ProjectorOptions};
use std::path::PathBuf;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// When snapshots are taken by themselves, and how many are kept.
///
/// One is due when *both* hold: `every_events` events were applied since the last one, and they are at least
/// `growth_percent` of those in it. A snapshot copies all rows, so without the second a log ten times as long would cost
/// a hundred times the work. With it each snapshot is larger than the one before by that share, and all of them together
/// copy no more than `1 + 100 / growth_percent` times what the last one copies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotPolicy {
    /// After so many applied events, at least.
    pub every_events: u64,
    /// After so many applied events in a hundred of those in the last one, at least; 0: however few they are.
    pub growth_percent: u32,
    /// How many of the newest are kept.
    pub keep: usize,
}

impl SnapshotPolicy {
    /// How many snapshots are kept when nobody says otherwise.
    pub const KEEP_DEFAULT: usize = 5;
    /// By how much a generation grows between two snapshots when nobody says otherwise: all snapshots together cost
    /// five times the last one.
    pub const GROWTH_PERCENT_DEFAULT: u32 = 25;

    /// A snapshot after every `events` applied events, and further apart once the log is long.
    pub const fn every(events: u64) -> Self {
        let growth_percent = Self::GROWTH_PERCENT_DEFAULT;
        Self { every_events: events, growth_percent, keep: Self::KEEP_DEFAULT }
    }
    /// Takes none before so many events in a hundred of those in the last one were applied.
    #[must_use]
    pub const fn growth_percent(self, growth_percent: u32) -> Self {
        Self { growth_percent, ..self }
    }
    /// Keeps so many of the newest; at least one.
    #[must_use]
    pub const fn keep(self, keep: usize) -> Self {
        Self { keep, ..self }
    }

    /// Whether a snapshot is due at `applied` events when the last one has `last`.
    fn is_due(&self, last: u64, applied: u64) -> bool {
        let new = applied.saturating_sub(last);
        let grown = u128::from(new) * 100 >= u128::from(last) * u128::from(self.growth_percent);
        new >= self.every_events.max(1) && grown
    }
}

/// Takes snapshots of one generation in the background, one at a time. A snapshot that fails harms nothing: the
/// next one is due when it would be had it been taken.
pub(crate) struct SnapshotTaker {
    read_model: ModelName,
    snapshots: SnapshotFolder,
    source: PathBuf,
    policy: SnapshotPolicy,
    /// Applied events at the last snapshot; `None`: it is not known yet which one that is.
    last: Option<u64>,
    running: Option<JoinHandle<()>>,
}

impl SnapshotTaker {
    pub(crate) fn new(options: &ProjectorOptions, policy: SnapshotPolicy, id: GenerationId) -> Self {
        let name = options.model.name();
        Self {
            read_model: name.clone(),
            snapshots: SnapshotFolder::new(options.catalog.snapshots_folder(name)),
            source: options.catalog.generation_path(name, id),
            policy,
            last: None,
            running: None,
        }
    }

    /// Begins a snapshot if one is due at `status`.
    pub(crate) async fn consider(&mut self, status: &GenerationStatus) {
        let last = match self.last {
            Some(last) => last,
            None => *self.last.insert(self.newest(status).await),
        };
        let due = self.policy.is_due(last, status.applied.count);
        if !due || self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        self.last = Some(status.applied.count);
        let (snapshots, source, keep) = (self.snapshots.clone(), self.source.clone(), self.policy.keep);
        let read_model = self.read_model.clone();
        self.running = Some(tokio::spawn(async move {
            match take(&snapshots, &source, keep).await {
                Ok(taken) => {
                    info!(%read_model, snapshot = %taken.name, bytes = taken.compressed_bytes, "took a snapshot")
                }
                Err(error) => warn!(%read_model, %error, "a snapshot of the read model could not be taken"),
            }
        }));
    }

    /// Applied events in the newest snapshot that is not above `status`.
    async fn newest(&self, status: &GenerationStatus) -> u64 {
        for name in self.snapshots.list().unwrap_or_default() {
            if name.sequence() > status.checkpoint {
                continue;
            }
            if let Ok(manifest) = self.snapshots.verify(name).await {
                return manifest.applied_count.min(status.applied.count);
            }
        }
        0
    }
}

async fn take(
    snapshots: &SnapshotFolder,
    source: &std::path::Path,
    keep: usize,
) -> Result<SnapshotManifest, GenerationError> {
    let taken = snapshots.take(source).await?;
    snapshots.prune(keep)?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events in each snapshot that is taken while `events` come in one by one.
    fn taken(policy: &SnapshotPolicy, events: u64) -> Vec<u64> {
        let mut taken = Vec::new();
        for applied in 1..=events {
            if policy.is_due(taken.last().copied().unwrap_or(0), applied) {
                taken.push(applied);
            }
        }
        taken
    }

    #[test]
    fn a_short_log_has_a_snapshot_every_so_many_events() {
        assert_eq!(taken(&SnapshotPolicy::every(100), 500), [100, 200, 300, 400, 500]);
        let ever = SnapshotPolicy::every(100).growth_percent(0);
        assert_eq!(taken(&ever, 100_000).len(), 1_000);
    }

    #[test]
    fn a_log_ten_times_as_long_costs_about_ten_times_the_snapshot_work() {
        for growth_percent in [10, 25, 100] {
            let policy = SnapshotPolicy::every(100).growth_percent(growth_percent);
            for events in [10_000, 100_000, 1_000_000] {
                let work: u64 = taken(&policy, events).iter().sum();
                assert!(work <= events * (1 + 100 / u64::from(growth_percent)), "{work} for {events}");
            }
        }
    }

    #[test]
    fn no_count_overflows_the_rule() {
        let policy = SnapshotPolicy::every(u64::MAX).growth_percent(u32::MAX);
        assert!(policy.is_due(0, u64::MAX));
        assert!(!policy.is_due(u64::MAX, u64::MAX));
        assert!(!policy.is_due(9, 3), "a generation that was rolled back");
    }
}
