use super::ProjectorOptions;
use crate::{
    Catalog, GenerationError, GenerationId, GenerationStatus, ReadModel, SnapshotFolder, SnapshotManifest,
    SnapshotPolicy,
    backend::{Slot, Target},
};
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// Takes snapshots of one generation in the background, one at a time. A snapshot that fails harms nothing: the
/// next one is due when it would be had it been taken.
pub(super) struct SnapshotTaker {
    catalog: Catalog,
    model: ReadModel,
    snapshots: SnapshotFolder,
    id: GenerationId,
    policy: SnapshotPolicy,
    /// Applied events at the last snapshot; `None`: it is not known yet which one that is.
    last: Option<u64>,
    running: Option<JoinHandle<()>>,
}

impl SnapshotTaker {
    pub(super) fn new(options: &ProjectorOptions, policy: SnapshotPolicy, id: GenerationId) -> Self {
        let name = options.model.name();
        Self {
            catalog: options.catalog.clone(),
            model: options.model.clone(),
            snapshots: SnapshotFolder::new(options.catalog.snapshots_folder(name)),
            id,
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
        let (catalog, model, id) = (self.catalog.clone(), self.model.clone(), self.id);
        let (snapshots, keep) = (self.snapshots.clone(), self.policy.keep);
        self.running = Some(tokio::spawn(async move {
            let read_model = model.name();
            match take(&catalog, &model, id, &snapshots, keep).await {
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
    catalog: &Catalog,
    model: &ReadModel,
    id: GenerationId,
    snapshots: &SnapshotFolder,
    keep: usize,
) -> Result<SnapshotManifest, GenerationError> {
    let view = catalog.backend().view(&Slot::of(model), Target::Generation(id)).await?;
    let taken = snapshots.take(view, model.schema()).await?;
    snapshots.prune(keep)?;
    Ok(taken)
}
