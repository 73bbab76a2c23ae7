use super::Generations;
use crate::{
    Catalog, GenerationError, GenerationId, GenerationState, GenerationStatus, ReadModel, SnapshotName,
    crash_point::crash_point,
    generation::{adopt, create},
    sqlite::sync_folder,
};
use annals_event::LogId;
use std::{fs, io, path::Path};

/// What a candidate begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No rows: it is folded from the start of the log.
    Empty,
    /// The rows of a snapshot, which are right by the word of whoever asked: they are not folded again.
    Snapshot(SnapshotName),
}

impl Generations {
    /// Makes a candidate under an id of the caller's choice. If it is there already, nothing is done.
    pub async fn create(
        &self,
        id: GenerationId,
        origin: Origin,
    ) -> Result<GenerationStatus, GenerationError> {
        let entry = self.catalog.entry(&self.model, id).await?;
        if entry.is_some_and(|entry| entry.state == GenerationState::Ready) {
            return self.status(id).await;
        }
        let log_id = self.store.head().await?.log_id;
        match origin {
            Origin::Empty => create_empty(&self.catalog, &self.model, log_id, id).await?,
            Origin::Snapshot(name) => self.restore(id, name).await?,
        }
        self.status(id).await
    }

    async fn restore(&self, id: GenerationId, name: SnapshotName) -> Result<(), GenerationError> {
        let path = begin(&self.catalog, &self.model, id, Some(name)).await?;
        self.snapshots.restore(name, &path).await?;
        crash_point("snapshot-restored")?;
        adopt(&path, &self.model).await?;
        finish(&self.catalog, id, &path).await
    }
}

/// Makes a generation without rows.
pub(crate) async fn create_empty(
    catalog: &Catalog,
    model: &ReadModel,
    log_id: LogId,
    id: GenerationId,
) -> Result<(), GenerationError> {
    let path = begin(catalog, model, id, None).await?;
    create(&path, model, log_id).await?;
    crash_point("generation-created")?;
    finish(catalog, id, &path).await
}

/// Notes the generation and clears away what an earlier attempt left.
async fn begin(
    catalog: &Catalog,
    model: &ReadModel,
    id: GenerationId,
    snapshot: Option<SnapshotName>,
) -> Result<std::path::PathBuf, GenerationError> {
    let folder = catalog.generations_folder(model.name());
    fs::create_dir_all(&folder).map_err(GenerationError::file(&folder))?;
    catalog.add(model, id, snapshot.map(|name| name.to_string()).as_deref()).await?;
    let path = catalog.generation_path(model.name(), id);
    remove_database(&path)?;
    Ok(path)
}

/// The file is complete: from here on the generation can be used.
async fn finish(catalog: &Catalog, id: GenerationId, path: &Path) -> Result<(), GenerationError> {
    if let Some(folder) = path.parent() {
        sync_folder(folder).map_err(GenerationError::file(folder))?;
    }
    catalog.set_ready(id).await
}

/// Removes a database with what belongs to it. One that is not there is removed already.
pub(super) fn remove_database(path: &Path) -> Result<(), GenerationError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(GenerationError::file(path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
