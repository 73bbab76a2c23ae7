//! The data folder of a deployment, and its catalog: which generations there are, and which one is live.
//!
//! ```text
//! catalog.sqlite                              the pointer row of each (read model, schema hash)
//! generations/<read model>/<id>.sqlite        one file a generation
//! snapshots/<read model>/<sequence>-<id>.*    snapshots; another folder where it is opened with one
//! ```
//!
//! The pointer row is the truth about what is live; a generation's file never says so of itself. It changes by
//! compare-and-set on its epoch, durably: a crash leaves the old one or the new one.
//!
//! Each use checks that the catalog's name still belongs to the open file. If the file was deleted or replaced, the catalog that
//! is there now is opened, or a new one is made. What the lost one listed can be folded from the log.

mod entry;
mod file;
mod pointer;

pub use entry::{GenerationEntry, GenerationState};
pub use pointer::Live;

use crate::{GenerationError, GenerationId, ModelName, ReadModel, file_id::FileId, sqlite::BEGIN_WRITE};
use entry::{entry, set_retired};
use file::Opened;
use pointer::{live, point};
use sqlx::SqlitePool;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Mutex, watch};
use tracing::error;

const FILE: &str = "catalog.sqlite";

/// A data folder. Cloning it gives another handle to the same one.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    snapshots: PathBuf,
    opened: Mutex<Opened>,
    /// Counts the changes of pointers made through this handle.
    changes: watch::Sender<u64>,
}

impl Catalog {
    /// Opens the data folder, creating it when there is none.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self, GenerationError> {
        Self::open_with(folder.as_ref(), folder.as_ref().join("snapshots")).await
    }

    /// Opens the data folder, with its snapshots in a folder of their own: on another disk, for example.
    pub async fn open_with(
        folder: impl AsRef<Path>,
        snapshots: impl AsRef<Path>,
    ) -> Result<Self, GenerationError> {
        let (folder, snapshots) = (folder.as_ref().to_owned(), snapshots.as_ref().to_owned());
        let opened = Mutex::new(Opened::new(&folder).await?);
        Ok(Self(Arc::new(Inner { folder, snapshots, opened, changes: watch::Sender::new(0) })))
    }

    /// Connections to the catalog that is in the folder now.
    async fn pool(&self) -> Result<SqlitePool, GenerationError> {
        let folder = &self.0.folder;
        let gone = |error: GenerationError| GenerationError::FolderGone {
            folder: folder.display().to_string(),
            reason: error.to_string(),
        };
        let mut opened = self.0.opened.lock().await;
        let file = FileId::of(&folder.join(FILE)).map_err(gone)?;
        if file.is_none() || file != opened.file {
            error!(folder = %folder.display(), "the catalog was deleted or replaced while it was in use; reopening it");
            *opened = Opened::new(folder).await.map_err(gone)?;
        }
        Ok(opened.pool.clone())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// What is live of a read model with these tables; `None`: it was never started here.
    pub async fn live(&self, model: &ReadModel) -> Result<Option<Live>, GenerationError> {
        let mut connection = self.pool().await?.acquire().await?;
        live(&mut connection, model).await
    }

    /// Every generation of a read model with these tables, oldest first.
    pub async fn generations(&self, model: &ReadModel) -> Result<Vec<GenerationEntry>, GenerationError> {
        let rows = sqlx::query(
            "SELECT id, state, snapshot, coalesce(retired_at_us, created_at_us) FROM generation
             WHERE model = ? AND schema_hash = ? ORDER BY id",
        )
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .fetch_all(&self.pool().await?)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// Where a generation's file is.
    pub(crate) fn generation_path(&self, model: &ModelName, id: GenerationId) -> PathBuf {
        self.generations_folder(model).join(format!("{id}.sqlite"))
    }

    pub(crate) fn generations_folder(&self, model: &ModelName) -> PathBuf {
        self.0.folder.join("generations").join(model.as_folder())
    }

    pub(crate) fn snapshots_folder(&self, model: &ModelName) -> PathBuf {
        self.0.snapshots.join(model.as_folder())
    }

    /// A folder for what needs to survive no restart.
    pub(crate) fn scratch_folder(&self) -> PathBuf {
        self.0.folder.join("scratch")
    }

    /// How many bytes the folder's disk has left for this process; `None`: the system does not say.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.0.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Waits until a pointer is changed through this handle.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// What the catalog says of a generation.
    pub(crate) async fn entry(
        &self,
        model: &ReadModel,
        id: GenerationId,
    ) -> Result<Option<GenerationEntry>, GenerationError> {
        Ok(self.generations(model).await?.into_iter().find(|entry| entry.id == id))
    }

    /// Notes a generation whose file is about to be made. One that was being made already stays noted.
    pub(crate) async fn add(
        &self,
        model: &ReadModel,
        id: GenerationId,
        snapshot: Option<&str>,
    ) -> Result<(), GenerationError> {
        sqlx::query(
            "INSERT INTO generation (id, model, schema_hash, fold_version, state, snapshot, created_at_us)
             VALUES (?, ?, ?, ?, 'creating', ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(id.to_string())
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .bind(model.fold_version().get())
        .bind(snapshot)
        .bind(now_us())
        .execute(&self.pool().await?)
        .await?;
        Ok(())
    }

    /// Says that a generation's file is complete, after `place` has put it where it belongs. `false`: that was not done,
    /// since another attempt was faster or the generation was retired.
    pub(crate) async fn set_ready(
        &self,
        id: GenerationId,
        place: impl FnOnce() -> Result<(), GenerationError>,
    ) -> Result<bool, GenerationError> {
        let mut transaction = self.pool().await?.begin_with(BEGIN_WRITE).await?;
        let ready = "UPDATE generation SET state = 'ready' WHERE id = ? AND state = 'creating'";
        let updated = sqlx::query(ready).bind(id.to_string()).execute(&mut *transaction).await?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        place()?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Does something with a generation that is not live, and must not become live meanwhile.
    pub(crate) async fn while_not_live<T>(
        &self,
        model: &ReadModel,
        id: GenerationId,
        work: impl AsyncFnOnce() -> Result<T, GenerationError>,
    ) -> Result<T, GenerationError> {
        let mut lock = self.pool().await?.begin_with(BEGIN_WRITE).await?;
        if live(&mut lock, model).await?.is_some_and(|live| live.generation == id) {
            return Err(GenerationError::Live { id: id.to_string() });
        }
        let done = work().await?;
        lock.rollback().await?;
        Ok(done)
    }

    /// Retires a generation that is not live. Doing it twice is the same.
    pub(crate) async fn retire(&self, model: &ReadModel, id: GenerationId) -> Result<(), GenerationError> {
        let mut transaction = self.pool().await?.begin_with(BEGIN_WRITE).await?;
        let live = live(&mut transaction, model).await?;
        if live.is_some_and(|live| live.generation == id) {
            return Err(GenerationError::InUse { id: id.to_string() });
        }
        if let Some(live) = live.filter(|live| live.previous == Some(id)) {
            point(&mut transaction, model, Live { previous: None, epoch: live.epoch + 1, ..live }).await?;
        }
        set_retired(&mut transaction, id).await?;
        transaction.commit().await?;
        self.changed();
        Ok(())
    }

    /// Removes the entry of a generation whose file is gone.
    pub(crate) async fn remove(&self, id: GenerationId) -> Result<(), GenerationError> {
        sqlx::query("DELETE FROM generation WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.pool().await?)
            .await?;
        Ok(())
    }

    fn changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Catalog({})", self.0.folder.display())
    }
}

fn parse_id(text: &str) -> Result<GenerationId, GenerationError> {
    text.parse().map_err(|_| damaged(format!("{text:?} is no generation's id")))
}

fn damaged(reason: String) -> GenerationError {
    GenerationError::Damaged { file: FILE.to_owned(), reason }
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
