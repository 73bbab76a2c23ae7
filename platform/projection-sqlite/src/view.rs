//! Views of generations' files, and the connections that they are read by.

use crate::{
    cells::{bind, read_batch},
    connect::{open_reader, reader_options},
    control::read_status,
    failure::failure,
    file_id::file_id,
    statements::Statements,
};
use annals_projection::{
    ColumnKind, DatabaseError, GenerationId, GenerationStatus, TableSchema, Value,
    backend::{Batch, Instance, Slot, View},
};
use async_trait::async_trait;
use futures::TryStreamExt;
use parking_lot::Mutex;
use sqlx::{
    AssertSqlSafe, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteArguments, SqlitePoolOptions},
};
use std::{any::Any, collections::HashMap, path::Path, sync::Arc, time::Duration};

/// How many readers of one read model are open at the same time in one process; more wait.
const READERS_MAX: u32 = 16;
/// How long a reader waits for its turn.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to the generation that is live in each slot, as when last looked at.
#[derive(Default)]
pub(crate) struct Pools(Mutex<HashMap<Slot, Bound>>);

/// Connections to a generation.
#[derive(Clone)]
pub(crate) struct Bound {
    generation: GenerationId,
    /// The generation's file; `None`: it was gone. A connection to a file that was deleted would go on answering.
    file: Option<Instance>,
    pool: SqlitePool,
}

impl Pools {
    pub(crate) fn bound(&self, of: &Slot) -> Option<Bound> {
        self.0.lock().get(of).cloned()
    }

    /// Binds a slot to a generation with the file `path`.
    pub(crate) fn bind(
        &self,
        of: &Slot,
        generation: GenerationId,
        path: &Path,
    ) -> Result<Bound, DatabaseError> {
        let file = file_id(path)?;
        let mut pools = self.0.lock();
        match pools.get(of) {
            Some(bound) if (bound.generation, bound.file) == (generation, file) => Ok(bound.clone()),
            // Connections of the old pool go when their views are dropped.
            _ => {
                let bound = Bound { generation, file, pool: pool(path) };
                pools.insert(of.clone(), bound.clone());
                Ok(bound)
            }
        }
    }
}

impl Bound {
    /// Whether this is the same generation and the same file.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.generation, self.file) == (other.generation, other.file)
    }
}

fn pool(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(READER_TIMEOUT)
        .test_before_acquire(false)
        .connect_lazy_with(reader_options(path))
}

/// A view of a file.
pub(crate) struct FileView {
    generation: GenerationId,
    status: GenerationStatus,
    connection: Connection,
    statements: Arc<Statements>,
}

/// A connection in a transaction that only reads.
enum Connection {
    Pooled(Transaction<'static, Sqlite>),
    Own(SqliteConnection),
}

impl Connection {
    fn get(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Pooled(transaction) => transaction,
            Self::Own(connection) => connection,
        }
    }
}

impl FileView {
    /// A view by one of these connections.
    pub(crate) async fn pooled(bound: &Bound, statements: Arc<Statements>) -> Result<Self, DatabaseError> {
        let transaction = bound.pool.begin().await.map_err(failure)?;
        Self::fix(bound.generation, Connection::Pooled(transaction), statements).await
    }

    /// A view by a connection of its own.
    pub(crate) async fn open(
        generation: GenerationId,
        path: &Path,
        statements: Arc<Statements>,
    ) -> Result<Self, DatabaseError> {
        let mut connection = open_reader(path).await?;
        sqlx::query("BEGIN").execute(&mut connection).await.map_err(failure)?;
        Self::fix(generation, Connection::Own(connection), statements).await
    }

    async fn fix(
        generation: GenerationId,
        mut connection: Connection,
        statements: Arc<Statements>,
    ) -> Result<Self, DatabaseError> {
        let status = read_status(connection.get()).await?;
        Ok(Self { generation, status, connection, statements })
    }
}

#[async_trait]
impl View for FileView {
    fn generation(&self) -> GenerationId {
        self.generation
    }

    fn status(&self) -> &GenerationStatus {
        &self.status
    }

    async fn get(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError> {
        self.statements.of(table).select_at_once(self.connection.get(), keys).await
    }

    async fn query(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        wanted: &[ColumnKind],
        rows_max: usize,
    ) -> Result<Batch, DatabaseError> {
        let mut arguments = SqliteArguments::default();
        for value in values {
            bind(&mut arguments, value)?;
        }
        let mut found = Vec::new();
        let mut rows =
            sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).fetch(self.connection.get());
        while found.len() < rows_max
            && let Some(row) = rows.try_next().await.map_err(failure)?
        {
            found.push(row);
        }
        drop(rows);
        read_batch(&found, wanted)
    }

    fn native(&mut self) -> &mut (dyn Any + Send) {
        self.connection.get()
    }
}
