//! Making generations. No other place makes the file of one.

use super::Generations;
use crate::{
    Catalog, GenerationError, GenerationId, GenerationState, GenerationStatus, ReadModel, SnapshotName,
    crash_point::crash_point,
    generation::{adopt, insert_empty},
    sqlite::{BEGIN_WRITE, GENERATION, create_writer, run_script, sync_folder},
};
use annals_store::Head;
use sqlx::Connection;
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

/// How the name of a file ends that is being made.
const UNFINISHED: &str = "new";

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
        self.make(id, origin).await?;
        self.status(id).await
    }

    /// Makes the generation without asking for its status. A store that is away leaves no trace in the catalog.
    pub(crate) async fn make(&self, id: GenerationId, origin: Origin) -> Result<(), GenerationError> {
        let entry = self.catalog.entry(&self.model, id).await?;
        if entry.is_some_and(|entry| entry.state == GenerationState::Ready) {
            return Ok(());
        }
        let head = self.store.head().await?;
        let file = begin(&self.catalog, &self.model, id, origin).await?;
        self.make_file(&file.unfinished, origin, &head).await?;
        finish(&self.catalog, id, file).await
    }

    /// Makes the file of a generation of the log with this `head`. It is complete when its control row is there, which is
    /// written in the same transaction as the tables.
    pub(super) async fn make_file(
        &self,
        path: &Path,
        origin: Origin,
        head: &Head,
    ) -> Result<(), GenerationError> {
        if let Origin::Snapshot(name) = origin {
            self.snapshots.restore(&*self.store, name, path).await?;
            crash_point("snapshot-restored")?;
        }
        let mut connection = create_writer(path).await?;
        let mut transaction = connection.begin_with(BEGIN_WRITE).await?;
        match origin {
            Origin::Empty => {
                GENERATION.create(&mut transaction).await?;
                for table in self.model.tables() {
                    run_script(&mut transaction, &table.ddl).await?;
                }
                insert_empty(&mut transaction, &self.model, head.log_id).await?;
            }
            Origin::Snapshot(_) => adopt(&mut transaction, &self.model, head.first).await?,
        }
        transaction.commit().await?;
        connection.close().await?;
        Ok(crash_point("generation-created")?)
    }
}

/// A file that is being made. It has a name of its own until it is complete, so that two who make the same generation
/// do not write the same file. What it was is removed with it, unless a crash comes first.
struct NewFile {
    unfinished: PathBuf,
    finished: PathBuf,
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // What cannot be removed now goes with the generation.
        let _ = remove_database(&self.unfinished);
    }
}

/// Notes the generation.
async fn begin(
    catalog: &Catalog,
    model: &ReadModel,
    id: GenerationId,
    origin: Origin,
) -> Result<NewFile, GenerationError> {
    let folder = catalog.generations_folder(model.name());
    fs::create_dir_all(&folder).map_err(GenerationError::file(&folder))?;
    let snapshot = match origin {
        Origin::Empty => None,
        Origin::Snapshot(name) => Some(name.to_string()),
    };
    catalog.add(model, id, snapshot.as_deref()).await?;
    let unfinished = folder.join(format!("{id}.{}.{UNFINISHED}", GenerationId::generate()));
    Ok(NewFile { unfinished, finished: catalog.generation_path(model.name(), id) })
}

/// The file is complete: from here on the generation can be used.
async fn finish(catalog: &Catalog, id: GenerationId, file: NewFile) -> Result<(), GenerationError> {
    let place = || {
        fs::rename(&file.unfinished, &file.finished).map_err(GenerationError::file(&file.finished))?;
        match file.finished.parent() {
            Some(folder) => sync_folder(folder).map_err(GenerationError::file(folder)),
            None => Ok(()),
        }
    };
    catalog.set_ready(id, place).await.map(|_| ())
}

/// Removes a generation's file, and what attempts to make it left.
pub(super) fn remove_generation(path: &Path) -> Result<(), GenerationError> {
    remove_database(path)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_stem().and_then(OsStr::to_str)) else {
        return Ok(());
    };
    let attempts = format!("{name}.");
    for entry in fs::read_dir(folder).map_err(GenerationError::file(folder))? {
        let entry = entry.map_err(GenerationError::file(folder))?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(&attempts)) {
            remove_database(&entry.path())?;
        }
    }
    Ok(())
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
