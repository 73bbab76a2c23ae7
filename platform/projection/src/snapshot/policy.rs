use super::{SnapshotFolder, SnapshotManifest};
use crate::{GenerationError, GenerationId, GenerationStatus, ProjectorOptions};
use std::path::PathBuf;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// When snapshots are taken by themselves, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotPolicy {
    /// After so many applied events.
    pub every_events: u64,
    /// How many of the newest are kept.
    pub keep: usize,
}

impl SnapshotPolicy {
    /// How many snapshots are kept when nobody says otherwise.
    pub const KEEP_DEFAULT: usize = 5;

    /// A snapshot after every `events` applied events.
    pub const fn every(events: u64) -> Self {
        Self { every_events: events, keep: Self::KEEP_DEFAULT }
    }
    /// Keeps so many of the newest; at least one.
    #[must_use]
    pub const fn keep(self, keep: usize) -> Self {
        Self { keep, ..self }
    }
}

/// Takes snapshots of one generation in the background, one at a time. A snapshot that fails harms nothing: the
/// next one is due as if it had not been tried.
pub(crate) struct SnapshotTaker {
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
        let due = status.applied.count.saturating_sub(last) >= self.policy.every_events.max(1);
        if !due || self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        self.last = Some(status.applied.count);
        let (snapshots, source, keep) = (self.snapshots.clone(), self.source.clone(), self.policy.keep);
        self.running = Some(tokio::spawn(async move {
            match take(&snapshots, &source, keep).await {
                Ok(taken) => info!(snapshot = %taken.name, bytes = taken.compressed_bytes, "took a snapshot"),
                Err(error) => warn!(%error, "a snapshot of the read model could not be taken"),
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
