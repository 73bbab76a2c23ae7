//! Which snapshot a generation begins with, and why not another.

use super::{SnapshotFolder, SnapshotManifest, SnapshotName, folder::blocking, manifest::Wanted};
use crate::error::{GenerationError, SnapshotError};
use annals_store::{EventStore, LogMismatch, check_same_log};
use serde::{Deserialize, Serialize};

/// Which snapshot a generation can begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotChoice {
    /// The newest that is intact and suits; `None`: begin empty.
    pub chosen: Option<SnapshotManifest>,
    /// The newer ones, and why they are not used.
    pub passed_over: Vec<PassedOver>,
}

/// A snapshot that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Its name.
    pub name: SnapshotName,
    /// Why not.
    pub reason: String,
}

impl SnapshotFolder {
    /// The newest intact snapshot that is as it is wanted, of the history of the log that `store` holds.
    pub(crate) async fn choose(
        &self,
        store: &dyn EventStore,
        wanted: &Wanted<'_>,
    ) -> Result<SnapshotChoice, GenerationError> {
        let mut choice = SnapshotChoice::default();
        for name in self.list()? {
            match self.consider(store, name, wanted).await? {
                Ok(manifest) => {
                    choice.chosen = Some(manifest);
                    break;
                }
                Err(reason) => choice.passed_over.push(PassedOver { name, reason }),
            }
        }
        Ok(choice)
    }

    /// The snapshot's manifest if it can be used, or why it cannot.
    async fn consider(
        &self,
        store: &dyn EventStore,
        name: SnapshotName,
        wanted: &Wanted<'_>,
    ) -> Result<Result<SnapshotManifest, String>, GenerationError> {
        let this = self.clone();
        let manifest = match blocking(move || this.read_manifest(name)).await {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Err(reason_of(error))),
        };
        if let Some(reason) = manifest.unsuited(wanted) {
            return Ok(Err(reason));
        }
        if let Some(reason) = other_log(store, &manifest).await? {
            return Ok(Err(reason));
        }
        Ok(self.verify(name).await.map_err(reason_of))
    }
}

/// How the log that the snapshot was folded from differs from what `store` holds, if it does.
pub(super) async fn other_log(
    store: &dyn EventStore,
    manifest: &SnapshotManifest,
) -> Result<Option<String>, GenerationError> {
    let seen = match manifest.seen() {
        Ok(seen) => seen,
        Err(reason) => return Ok(Some(reason)),
    };
    match check_same_log(store, &seen).await {
        Ok(()) => Ok(None),
        Err(LogMismatch::Read(error)) => Err(error.into()),
        Err(mismatch) => Ok(Some(mismatch.to_string())),
    }
}

fn reason_of(error: SnapshotError) -> String {
    match error {
        SnapshotError::Refused { reason, .. } => reason,
        other => other.to_string(),
    }
}
