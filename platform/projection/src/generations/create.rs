//! Making generations. No other place makes one.

use super::Generations;
use crate::{
    GenerationError, GenerationId, GenerationState, GenerationStatus, SnapshotManifest, SnapshotName, Tally,
    backend::{GenerationSpec, Purpose, crash_point},
};
use annals_store::Head;

/// What a candidate begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No rows: it is folded from the start of the log.
    Empty,
    /// The rows of a snapshot, which are right by the word of whoever asked: they are not folded again.
    Snapshot(SnapshotName),
}

impl Generations {
    /// Makes a generation under an id of the caller's choice: a candidate, until it is promoted. If it is there already,
    /// nothing is done.
    pub async fn create(
        &self,
        id: GenerationId,
        origin: Origin,
    ) -> Result<GenerationStatus, GenerationError> {
        self.make(id, origin, Purpose::Candidate).await?;
        self.status(id).await
    }

    /// Makes the generation without asking for its status. A store that is away leaves no trace in the catalog.
    pub(crate) async fn make(
        &self,
        id: GenerationId,
        origin: Origin,
        purpose: Purpose,
    ) -> Result<(), GenerationError> {
        let entry = self.catalog.entry(&self.model, id).await?;
        if entry.is_some_and(|entry| entry.state == GenerationState::Ready) {
            return Ok(());
        }
        let head = self.store.head().await?;
        self.build(id, origin, purpose, &head).await
    }

    /// Makes a generation of the log with this `head`.
    pub(super) async fn build(
        &self,
        id: GenerationId,
        origin: Origin,
        purpose: Purpose,
        head: &Head,
    ) -> Result<(), GenerationError> {
        let Origin::Snapshot(name) = origin else {
            let status = GenerationStatus::empty(&self.model, head.log_id);
            let spec = self.spec(id, status, purpose);
            if let Some(build) = self.catalog.backend().create(&spec).await? {
                build.finish().await?;
            }
            return Ok(crash_point("generation-created")?);
        };
        let manifest = self.snapshots.check(&*self.store, name).await?;
        let status = self.adopted(&manifest, head)?;
        let spec = GenerationSpec { snapshot: Some(name.to_string()), ..self.spec(id, status, purpose) };
        if let Some(mut build) = self.catalog.backend().create(&spec).await? {
            self.snapshots.restore(&manifest, self.model.schema(), &mut *build).await?;
            crash_point("snapshot-restored")?;
            build.finish().await?;
        }
        Ok(crash_point("generation-created")?)
    }

    pub(super) fn spec(
        &self,
        id: GenerationId,
        status: GenerationStatus,
        purpose: Purpose,
    ) -> GenerationSpec {
        let (slot, schema) = (self.slot(), self.model.schema().clone());
        GenerationSpec { id, slot, schema, status, snapshot: None, purpose }
    }

    /// What a generation says of itself that is restored from a snapshot: its rows count as made by this program's fold. The
    /// caller has checked tables, log and events.
    ///
    /// When its counts begin before the first event that is still in the log nobody can check them any more, so they begin anew
    /// at its checkpoint.
    fn adopted(&self, manifest: &SnapshotManifest, head: &Head) -> Result<GenerationStatus, GenerationError> {
        let fold_version = self.model.fold_version();
        let status = GenerationStatus { fold_version, ..manifest.status()? };
        if status.base.next() >= head.first {
            return Ok(status);
        }
        Ok(GenerationStatus { base: status.checkpoint, applied: Tally::NONE, parked: Tally::NONE, ..status })
    }
}
