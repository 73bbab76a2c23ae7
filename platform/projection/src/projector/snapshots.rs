use super::ProjectorOptions;
use crate::{
    GenerationError, GenerationId, GenerationStatus, ModelName, SnapshotFolder, SnapshotManifest,
    SnapshotPolicy,
};
use std::path::PathBuf;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// Takes snapshots of one generation in the background, one at a time. A snapshot that fails harms nothing: the
/// next one is due when it would be had it been taken.
pub(super) struct SnapshotTaker {
    read_model: ModelName,
    snapshots: SnapshotFolder,
    source: PathBuf,
    policy: SnapshotPolicy,
    /// Applied events at the last snapshot; `None`: it is not known yet which one that is.
    last: Option<u64>,
    running: Option<JoinHandle<()>>,
}

impl SnapshotTaker {
    pub(super) fn new(options: &ProjectorOptions, policy: SnapshotPolicy, id: GenerationId) -> Self {
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
    pub(super) async fn consider(&mut self, status: &GenerationStatus) {
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
