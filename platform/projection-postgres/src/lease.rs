//! Who builds candidates of a read model.
//!
//! The row names the holder and a beat, which grows as long as the holder lives. Whoever wants the lease remembers the beat and
//! when it was first seen, by its own monotonic clock: unchanged for the whole time of a lease means that the holder is gone.
//! Every change compares holder and beat, so of several takers one succeeds.

use crate::{
    connection::{Begin, Binds, Connections},
    names::Names,
};
use annals_projection::{
    ModelName,
    backend::{DatabaseError, Lease},
};
use parking_lot::Mutex;
use sqlx::Row;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};
use uuid::Uuid;

/// How often a lease is renewed while it lasts.
const RENEWALS: u32 = 4;
/// How long a lease that this process gives up is waited for.
const RELEASE_MAX: Duration = Duration::from_secs(2);

/// The leases of a catalog, as this process knows them.
#[derive(Debug)]
pub(crate) struct Leases {
    connections: Connections,
    names: Names,
    lasts: Duration,
    /// The beat of each lease that others have, and since when it is unchanged.
    seen: Mutex<HashMap<ModelName, (Beat, Instant)>>,
    /// The leases that this process has had last.
    mine: Mutex<HashMap<ModelName, Mine>>,
}

/// A lease's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beat {
    holder: Option<Uuid>,
    beat: i64,
}

/// A lease that this process has, or had.
#[derive(Clone, Debug, Default)]
struct Mine {
    /// Cancelled when the lease is dropped.
    dropped: CancellationToken,
    /// Cancelled when others can take it.
    free: CancellationToken,
}

impl Leases {
    /// Of the catalog; each lasts so long without being renewed.
    pub(crate) fn new(connections: Connections, names: Names, lasts: Duration) -> Self {
        Self { connections, names, lasts, seen: Mutex::default(), mine: Mutex::default() }
    }

    /// Takes the lease; `None`: somebody has it.
    pub(crate) async fn try_take(&self, model: &ModelName) -> Result<Option<Lease>, DatabaseError> {
        self.given_up(model).await;
        let me = Uuid::now_v7();
        let taken = match self.read(model).await? {
            None => self.insert(model, me).await?,
            Some(row) if self.is_free(model, row) => self.take(model, row, me).await?,
            Some(_) => false,
        };
        if !taken {
            return Ok(None);
        }
        self.seen.lock().remove(model);
        let mine = Mine::default();
        self.mine.lock().insert(model.clone(), mine.clone());
        let renewal = Renewal {
            connections: self.connections.clone(),
            names: self.names.clone(),
            model: model.clone(),
            me,
            every: self.lasts / RENEWALS,
            dropped: mine.dropped.clone(),
            _free: mine.free.drop_guard(),
        };
        tokio::spawn(renewal.run());
        Ok(Some(Lease::new(mine.dropped.drop_guard())))
    }

    /// A lease that this process gives up is free a moment later.
    async fn given_up(&self, model: &ModelName) {
        let mine = self.mine.lock().get(model).cloned();
        if let Some(mine) = mine.filter(|mine| mine.dropped.is_cancelled()) {
            let _ = timeout(RELEASE_MAX, mine.free.cancelled()).await;
        }
    }

    /// Whether nobody has it, or whoever had it is gone.
    fn is_free(&self, model: &ModelName, row: Beat) -> bool {
        if row.holder.is_none() {
            return true;
        }
        let mut seen = self.seen.lock();
        let (known, since) = *seen.entry(model.clone()).or_insert((row, Instant::now()));
        if known != row {
            seen.insert(model.clone(), (row, Instant::now()));
            return false;
        }
        since.elapsed() >= self.lasts
    }

    async fn read(&self, model: &ModelName) -> Result<Option<Beat>, DatabaseError> {
        let mut session = self.connections.transaction(Begin::view()).await?;
        let read = self.names.sql("SELECT holder, beat FROM annals.lease WHERE model = $1");
        let row = session.row(read, Binds::new().and(model.as_str())).await?;
        let read = |row: sqlx::postgres::PgRow| Ok(Beat { holder: row.try_get(0)?, beat: row.try_get(1)? });
        row.map(read).transpose().map_err(|error: sqlx::Error| DatabaseError::damaged("the catalog", error))
    }

    async fn insert(&self, model: &ModelName, me: Uuid) -> Result<bool, DatabaseError> {
        let insert = "INSERT INTO annals.lease (model, holder, beat) VALUES ($1, $2, 1) ON CONFLICT (model) DO NOTHING";
        self.changed(insert, Binds::new().and(model.as_str()).and(me)).await
    }

    async fn take(&self, model: &ModelName, row: Beat, me: Uuid) -> Result<bool, DatabaseError> {
        let take = "UPDATE annals.lease SET holder = $2, beat = beat + 1
            WHERE model = $1 AND beat = $3 AND holder IS NOT DISTINCT FROM $4";
        self.changed(take, Binds::new().and(model.as_str()).and(me).and(row.beat).and(row.holder)).await
    }

    async fn changed(&self, sql: &'static str, binds: Binds) -> Result<bool, DatabaseError> {
        changed(&self.connections, self.names.sql(sql), binds).await
    }
}

async fn changed(connections: &Connections, sql: String, binds: Binds) -> Result<bool, DatabaseError> {
    let mut session = connections.transaction(Begin::durable()).await?;
    let rows = session.execute(sql, binds).await?;
    session.commit().await?;
    Ok(rows == 1)
}

/// What keeps a lease, and gives it up in the end.
struct Renewal {
    connections: Connections,
    names: Names,
    model: ModelName,
    me: Uuid,
    every: Duration,
    dropped: CancellationToken,
    _free: DropGuard,
}

impl Renewal {
    async fn run(self) {
        while self.dropped.run_until_cancelled(sleep(self.every)).await.is_some() {
            match self.set("UPDATE annals.lease SET beat = beat + 1 WHERE model = $1 AND holder = $2").await {
                Ok(true) => {}
                Ok(false) => {
                    warn!(model = %self.model, "another worker has taken the lease; this one's next commit is refused");
                    self.dropped.cancelled().await;
                }
                Err(error) => {
                    debug!(model = %self.model, %error, "the lease was not renewed; it is tried again")
                }
            }
        }
        let release =
            "UPDATE annals.lease SET holder = NULL, beat = beat + 1 WHERE model = $1 AND holder = $2";
        if let Err(error) = self.set(release).await {
            debug!(model = %self.model, %error, "the lease was not given up; it expires");
        }
    }

    async fn set(&self, sql: &'static str) -> Result<bool, DatabaseError> {
        let binds = Binds::new().and(self.model.as_str()).and(self.me);
        changed(&self.connections, self.names.sql(sql), binds).await
    }
}
