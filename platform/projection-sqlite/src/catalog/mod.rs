//! The catalog's file: which generations there are, and which one is live.

mod entry;
mod file;
mod pointer;

use crate::{
    connect::BEGIN_WRITE,
    failure::failure,
    file_id::file_id,
    files::Files,
    format::{GENERATION, stored_hash},
};
use annals_projection::{
    DatabaseError, GenerationId,
    backend::{Change, GenerationEntry, GenerationSpec, GenerationState, Live, Slot},
};
use entry::{entry, set_retired};
use file::Opened;
use pointer::{live, point};
use sqlx::{Row, SqlitePool};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Mutex, watch};
use tracing::error;

/// The open catalog of a folder.
#[derive(Debug)]
pub(crate) struct CatalogFile {
    files: Files,
    opened: Mutex<Opened>,
    /// Counts the changes of pointers made through this handle.
    changes: watch::Sender<u64>,
}

impl CatalogFile {
    pub(crate) async fn open(files: Files) -> Result<Self, DatabaseError> {
        let opened = Mutex::new(Opened::new(&files).await?);
        Ok(Self { files, opened, changes: watch::Sender::new(0) })
    }

    /// Connections to the catalog that is in the folder now.
    async fn pool(&self) -> Result<SqlitePool, DatabaseError> {
        let gone = |error: DatabaseError| DatabaseError::Gone {
            place: format!("the data folder {}", self.files.folder().display()),
            reason: error.to_string(),
        };
        let mut opened = self.opened.lock().await;
        let file = file_id(&self.files.catalog()).map_err(gone)?;
        if file.is_none() || file != opened.file {
            let folder = self.files.folder().display();
            error!(%folder, "the catalog was deleted or replaced while it was in use; reopening it");
            *opened = Opened::new(&self.files).await.map_err(gone)?;
        }
        Ok(opened.pool.clone())
    }

    pub(crate) async fn live(&self, of: &Slot) -> Result<Option<Live>, DatabaseError> {
        let mut connection = self.pool().await?.acquire().await.map_err(failure)?;
        live(&mut connection, of).await
    }

    pub(crate) async fn generations(&self, of: &Slot) -> Result<Vec<GenerationEntry>, DatabaseError> {
        let rows = sqlx::query(
            "SELECT id, state, snapshot, coalesce(retired_at_us, created_at_us) FROM generation
             WHERE model = ? AND schema_hash = ? ORDER BY id",
        )
        .bind(of.model.as_str())
        .bind(stored_hash(&of.schema, &GENERATION))
        .fetch_all(&self.pool().await?)
        .await
        .map_err(failure)?;
        rows.iter().map(entry).collect()
    }

    pub(crate) async fn change(&self, change: &Change) -> Result<(), DatabaseError> {
        let mut transaction = self.pool().await?.begin_with(BEGIN_WRITE).await.map_err(failure)?;
        if live(&mut transaction, &change.slot).await? != change.expect {
            return Err(DatabaseError::Moved);
        }
        if let Some(to) = change.set {
            point(&mut transaction, &change.slot, to).await?;
        }
        for id in &change.retire {
            set_retired(&mut transaction, *id).await?;
        }
        transaction.commit().await.map_err(failure)?;
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Notes a generation whose file is about to be made. One that was being made already stays noted. Says what it is.
    pub(crate) async fn add(&self, spec: &GenerationSpec) -> Result<GenerationState, DatabaseError> {
        let pool = self.pool().await?;
        sqlx::query(
            "INSERT INTO generation (id, model, schema_hash, fold_version, state, snapshot, created_at_us)
             VALUES (?, ?, ?, ?, 'creating', ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(spec.id.to_string())
        .bind(spec.slot.model.as_str())
        .bind(stored_hash(&spec.slot.schema, &GENERATION))
        .bind(spec.status.fold_version.get())
        .bind(&spec.snapshot)
        .bind(now_us())
        .execute(&pool)
        .await
        .map_err(failure)?;
        let read = sqlx::query("SELECT state FROM generation WHERE id = ?").bind(spec.id.to_string());
        let row = read.fetch_one(&pool).await.map_err(failure)?;
        self.parse_state(row.try_get(0).map_err(failure)?)
    }

    fn parse_state(&self, text: &str) -> Result<GenerationState, DatabaseError> {
        GenerationState::parse(text).ok_or_else(|| damaged(format!("a generation is in state {text:?}")))
    }

    /// Says that a generation's file is complete, after `place` has put it where it belongs. `false`: that was not done,
    /// since another attempt was faster or the generation was retired.
    pub(crate) async fn set_ready(
        &self,
        id: GenerationId,
        place: impl FnOnce() -> Result<(), DatabaseError>,
    ) -> Result<bool, DatabaseError> {
        let mut transaction = self.pool().await?.begin_with(BEGIN_WRITE).await.map_err(failure)?;
        let ready = "UPDATE generation SET state = 'ready' WHERE id = ? AND state = 'creating'";
        let updated = sqlx::query(ready).bind(id.to_string()).execute(&mut *transaction).await;
        if updated.map_err(failure)?.rows_affected() == 0 {
            return Ok(false);
        }
        place()?;
        transaction.commit().await.map_err(failure)?;
        Ok(true)
    }

    /// Removes the entry of a generation whose file is gone.
    pub(crate) async fn remove(&self, id: GenerationId) -> Result<(), DatabaseError> {
        let remove = sqlx::query("DELETE FROM generation WHERE id = ?").bind(id.to_string());
        remove.execute(&self.pool().await?).await.map(|_| ()).map_err(failure)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

fn parse_id(text: &str) -> Result<GenerationId, DatabaseError> {
    text.parse().map_err(|_| damaged(format!("{text:?} is no generation's id")))
}

fn damaged(reason: String) -> DatabaseError {
    DatabaseError::damaged("catalog.sqlite", reason)
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
