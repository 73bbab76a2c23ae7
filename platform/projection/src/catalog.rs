//! The data folder of a deployment, and its catalog: which generations there are, and which one is live.
//!
//! ```text
//! catalog.sqlite                              the pointer row of each (read model, schema hash)
//! generations/<read model>/<id>.sqlite        one file a generation
//! snapshots/<read model>/<sequence>-<id>.*    snapshots
//! ```
//!
//! The pointer row is the truth about what is live; a generation's file never says so of itself. It changes by
//! compare-and-set on its epoch, durably: a crash leaves the old one or the new one.
//!
//! A catalog that is deleted or replaced while it is open is not asked any more: each use looks whether its name still stands
//! for the file that is open, and opens what is there otherwise, or a new one. What was in it can be folded from the log.

use crate::{
    GenerationError, GenerationId, ModelName, ReadModel,
    file_id::FileId,
    sqlite::{BEGIN_WRITE, CATALOG, read_format, sync_folder, writer_options},
};
use sqlx::{
    Row, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Mutex, watch};
use tracing::error;

/// How many connections to the catalog there are.
const CONNECTIONS_MAX: u32 = 4;
const FILE: &str = "catalog.sqlite";

/// A data folder. Cloning it gives another handle to the same one.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    opened: Mutex<Opened>,
    /// Counts the changes of pointers made through this handle.
    changes: watch::Sender<u64>,
}

/// An open catalog.
struct Opened {
    pool: SqlitePool,
    file: Option<FileId>,
}

impl Opened {
    async fn new(folder: &Path) -> Result<Self, GenerationError> {
        std::fs::create_dir_all(folder).map_err(GenerationError::file(folder))?;
        let path = folder.join(FILE);
        let options = writer_options(&path, SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await?;
        prepare(&pool, &path).await?;
        sync_folder(folder).map_err(GenerationError::file(folder))?;
        Ok(Self { pool, file: FileId::of(&path)? })
    }
}

/// What is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// The generation that readers see.
    pub generation: GenerationId,
    /// The one that was live before, for a rollback.
    pub previous: Option<GenerationId>,
    /// Grows with every change.
    pub epoch: u64,
}

/// What a generation is, by the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationState {
    /// Its file may be incomplete.
    Creating,
    /// It can be folded, promoted and read.
    Ready,
    /// Its file goes after a grace period.
    Retired,
}

/// A generation in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GenerationEntry {
    /// Its id.
    pub id: GenerationId,
    /// What it is.
    pub state: GenerationState,
    /// The snapshot that it was restored from.
    pub snapshot: Option<String>,
    /// How long ago it was made, or retired.
    pub age: Duration,
}

impl fmt::Display for GenerationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl GenerationState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Retired => "retired",
        }
    }
    fn from_str(text: &str) -> Result<Self, GenerationError> {
        [Self::Creating, Self::Ready, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| damaged(format!("a generation is in state {text:?}")))
    }
}

impl Catalog {
    /// Opens the data folder, creating it when there is none.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self, GenerationError> {
        let folder = folder.as_ref().to_owned();
        let opened = Mutex::new(Opened::new(&folder).await?);
        Ok(Self(Arc::new(Inner { folder, opened, changes: watch::Sender::new(0) })))
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
            error!(folder = %folder.display(), "the catalog was deleted or replaced while it was in use; opening it anew");
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
        self.0.folder.join("snapshots").join(model.as_folder())
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

    /// Makes `id` live if nothing is. Gives what is live then.
    pub(crate) async fn make_first_live(
        &self,
        model: &ReadModel,
        id: GenerationId,
    ) -> Result<Live, GenerationError> {
        sqlx::query(
            "INSERT INTO live (model, schema_hash, generation, previous, epoch, changed_at_us)
             VALUES (?, ?, ?, NULL, 1, ?) ON CONFLICT DO NOTHING",
        )
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .bind(id.to_string())
        .bind(now_us())
        .execute(&self.pool().await?)
        .await?;
        self.changed();
        self.live(model).await?.ok_or_else(|| damaged("the pointer row is gone".to_owned()))
    }

    /// Makes `to` live instead of what `from` says, which becomes the previous generation; what was the previous one
    /// until then is retired.
    pub(crate) async fn flip(
        &self,
        model: &ReadModel,
        from: Live,
        to: GenerationId,
    ) -> Result<Live, GenerationError> {
        let mut transaction = self.pool().await?.begin_with(BEGIN_WRITE).await?;
        if live(&mut transaction, model).await? != Some(from) {
            return Err(GenerationError::PointerMoved);
        }
        if let Some(oldest) = from.previous.filter(|oldest| *oldest != to) {
            set_retired(&mut transaction, oldest).await?;
        }
        let flipped = Live { generation: to, previous: Some(from.generation), epoch: from.epoch + 1 };
        point(&mut transaction, model, flipped).await?;
        transaction.commit().await?;
        self.changed();
        Ok(flipped)
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

/// Makes the tables of a new catalog, and checks the format of one that is there.
async fn prepare(pool: &SqlitePool, path: &Path) -> Result<(), GenerationError> {
    let mut transaction: Transaction<'_, Sqlite> = pool.begin_with(BEGIN_WRITE).await?;
    match read_format(&mut transaction).await? {
        0 => CATALOG.create(&mut transaction).await?,
        found => GenerationError::check_format(path.display(), found, CATALOG.number)?,
    }
    Ok(transaction.commit().await?)
}

async fn live(connection: &mut SqliteConnection, model: &ReadModel) -> Result<Option<Live>, GenerationError> {
    let read = "SELECT generation, previous, epoch FROM live WHERE model = ? AND schema_hash = ?";
    let row = sqlx::query(read)
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let previous: Option<&str> = row.try_get(1)?;
    let epoch = u64::try_from(row.try_get::<i64, _>(2)?).map_err(|e| damaged(e.to_string()))?;
    let previous = previous.map(parse_id).transpose()?;
    Ok(Some(Live { generation: parse_id(row.try_get(0)?)?, previous, epoch }))
}

async fn point(
    connection: &mut SqliteConnection,
    model: &ReadModel,
    to: Live,
) -> Result<(), GenerationError> {
    let epoch = i64::try_from(to.epoch).map_err(|e| damaged(e.to_string()))?;
    sqlx::query(
        "UPDATE live SET generation = ?, previous = ?, epoch = ?, changed_at_us = ?
         WHERE model = ? AND schema_hash = ?",
    )
    .bind(to.generation.to_string())
    .bind(to.previous.map(|id| id.to_string()))
    .bind(epoch)
    .bind(now_us())
    .bind(model.name().as_str())
    .bind(model.schema_hash().as_str())
    .execute(connection)
    .await?;
    Ok(())
}

async fn set_retired(connection: &mut SqliteConnection, id: GenerationId) -> Result<(), GenerationError> {
    let retire =
        "UPDATE generation SET state = 'retired', retired_at_us = coalesce(retired_at_us, ?) WHERE id = ?";
    sqlx::query(retire).bind(now_us()).bind(id.to_string()).execute(connection).await?;
    Ok(())
}

fn entry(row: &SqliteRow) -> Result<GenerationEntry, GenerationError> {
    let age_us = now_us().saturating_sub(row.try_get(3)?);
    Ok(GenerationEntry {
        id: parse_id(row.try_get(0)?)?,
        state: GenerationState::from_str(row.try_get(1)?)?,
        snapshot: row.try_get(2)?,
        age: Duration::from_micros(u64::try_from(age_us).unwrap_or(0)),
    })
}

fn parse_id(text: &str) -> Result<GenerationId, GenerationError> {
    text.parse().map_err(|_| damaged(format!("{text:?} is no generation's id")))
}

fn damaged(reason: String) -> GenerationError {
    GenerationError::Damaged { reason: format!("{FILE}: {reason}") }
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
