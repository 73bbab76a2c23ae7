//! Reading: a [`Reader`] is one consistent view of one generation.
//!
//! A reader begins its transaction first and checks the pointer afterwards; if the pointer has moved, the reader starts
//! over. So the view is of the generation that was live *after* the view was fixed, and no sequence of readers
//! ever sees a step back: a promoted generation contains at least what the previous one contained at that time.

use crate::{
    Catalog, GenerationError, GenerationId, GenerationStatus, ReadModel, TableError,
    file_id::FileId,
    generation::read_status,
    identifier::quoted,
    sqlite::{bind, is_transient, reader_options},
    table::{Table, TableKey},
    unit::read_row,
};
use annals_event::{Sequence, Token};
use parking_lot::Mutex;
use sqlx::{
    AssertSqlSafe, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteArguments, SqlitePoolOptions},
};
use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many readers of one read model are open at the same time in one process; more wait.
const READERS_MAX: u32 = 16;
/// How long a reader waits for its turn.
const READER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often one looks whether another process has folded further.
const POLL: Duration = Duration::from_millis(20);

/// Why there is no reader, or no answer from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// The read model's generations could not be looked at.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// The database did not answer or refused the query.
    #[error("the read model's database: {0}")]
    Database(sqlx::Error),
    /// The key cannot be one of the table's.
    #[error(transparent)]
    Key(#[from] TableError),
    /// The table is none of the read model's.
    #[error("read model {model:?} has no table {table:?}")]
    UnknownTable {
        /// The read model.
        model: String,
        /// The table.
        table: String,
    },
}

impl From<sqlx::Error> for ReaderError {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause)
    }
}

impl ReaderError {
    /// Whether the same may succeed later: also while the read model's folder is gone, and its projector builds it anew.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Generation(error) => {
                error.is_transient() || matches!(error, GenerationError::NoneLive { .. })
            }
            Self::Database(error) => is_transient(error),
            Self::Key(_) | Self::UnknownTable { .. } => false,
        }
    }
}

/// Why a read model does not contain a token yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time is over.
    #[error("the read model is at sequence number {checkpoint}, {by} behind {token}; try again")]
    Behind {
        /// What was waited for.
        token: Sequence,
        /// How far the read model is.
        checkpoint: Sequence,
        /// The difference between the two.
        by: u64,
    },
    /// The time is over, and this process does not fold the read model. Trying again helps only if another process does.
    #[error(
        "the read model is at sequence number {checkpoint}, {by} behind {token}, and this process does not fold it: {reason}"
    )]
    NotFolded {
        /// What was waited for.
        token: Sequence,
        /// How far the read model is.
        checkpoint: Sequence,
        /// The difference between the two.
        by: u64,
        /// Why this process does not fold it.
        reason: String,
    },
    /// The log was restored from a backup, and what is live was folded from what it was before.
    #[error("{reason}")]
    OtherHistory {
        /// How they differ, and what to do.
        reason: String,
    },
    /// The read model could not be read.
    #[error(transparent)]
    Reader(#[from] ReaderError),
}

/// Makes readers of one read model. Cloning it gives another handle to the same connections.
#[derive(Clone)]
pub struct Readers(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    model: ReadModel,
    /// Connections to the generation that was live when last looked at.
    bound: Mutex<Option<Bound>>,
}

#[derive(Clone)]
struct Bound {
    generation: GenerationId,
    /// The generation's file; `None`: it was gone. A connection to a file that was deleted would go on answering.
    file: Option<FileId>,
    pool: SqlitePool,
}

impl Readers {
    /// Readers of `model` in the data folder of `catalog`. It need not be folded by this process.
    pub fn new(catalog: Catalog, model: ReadModel) -> Self {
        Self(Arc::new(Inner { catalog, model, bound: Mutex::new(None) }))
    }

    /// A view of what is live now.
    pub async fn reader(&self) -> Result<Reader, ReaderError> {
        loop {
            let Some(bound) = self.bound() else {
                self.rebind().await?;
                continue;
            };
            let begun = Reader::begin(bound.generation, &bound.pool, &self.0.model).await;
            // The pointer is looked at after the view is fixed; an error may mean that the file was swept.
            if self.rebind().await? == (bound.generation, bound.file) {
                return begun;
            }
        }
    }

    /// A view that contains the event at `token`, as soon as there is one.
    pub async fn wait_for(&self, token: impl Into<Token>, timeout: Duration) -> Result<Reader, WaitError> {
        let token = token.into().sequence();
        let begun = Instant::now();
        loop {
            let reader = self.reader().await?;
            let checkpoint = reader.checkpoint();
            if checkpoint >= token {
                return Ok(reader);
            }
            drop(reader);
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                let by = token.get() - checkpoint.get();
                return Err(WaitError::Behind { token, checkpoint, by });
            }
            tokio::time::sleep(left.min(POLL)).await;
        }
    }

    fn bound(&self) -> Option<Bound> {
        self.0.bound.lock().clone()
    }

    /// Looks at the pointer and binds to what it says, which is given back.
    async fn rebind(&self) -> Result<(GenerationId, Option<FileId>), ReaderError> {
        let Inner { catalog, model, bound } = &*self.0;
        let none = || GenerationError::NoneLive { model: model.name().to_string() };
        let generation = catalog.live(model).await?.ok_or_else(none)?.generation;
        let path = catalog.generation_path(model.name(), generation);
        let file = FileId::of(&path)?;
        let mut bound = bound.lock();
        if bound.as_ref().is_none_or(|bound| (bound.generation, bound.file) != (generation, file)) {
            // Connections of the old pool go when their readers are dropped.
            *bound = Some(Bound { generation, file, pool: pool(&path) });
        }
        Ok((generation, file))
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readers({:?})", self.0.model)
    }
}

fn pool(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(READER_TIMEOUT)
        .test_before_acquire(false)
        .connect_lazy_with(reader_options(path))
}

/// One consistent view of one generation. Everything that it reads belongs together, whatever is folded or
/// promoted meanwhile. Drop it when the answer is there: an old view keeps old pages from being reused.
pub struct Reader {
    generation: GenerationId,
    status: GenerationStatus,
    model: ReadModel,
    transaction: Transaction<'static, Sqlite>,
}

impl Reader {
    async fn begin(
        generation: GenerationId,
        pool: &SqlitePool,
        model: &ReadModel,
    ) -> Result<Self, ReaderError> {
        let mut transaction = pool.begin().await?;
        let status = read_status(&mut transaction).await?;
        Ok(Self { generation, status, model: model.clone(), transaction })
    }

    /// A view of the generation in the file `path`, live or not.
    pub(crate) async fn of_file(
        generation: GenerationId,
        path: &Path,
        model: &ReadModel,
    ) -> Result<Self, ReaderError> {
        Self::begin(generation, &pool(path), model).await
    }

    /// Every event up to here is in the rows.
    pub fn checkpoint(&self) -> Sequence {
        self.status.checkpoint
    }
    /// The generation that is read.
    pub fn generation(&self) -> GenerationId {
        self.generation
    }
    /// What the generation says of itself.
    pub fn status(&self) -> &GenerationStatus {
        &self.status
    }
    /// The connection, for queries of one's own. It is read-only and in a transaction, which must stay open.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// The row with this key.
    pub async fn get<R: Table>(&mut self, key: &R::Key) -> Result<Option<R>, ReaderError> {
        let keys = R::SCHEMA.columns.iter().filter(|column| column.key);
        let wanted: Vec<_> = keys.map(|column| format!("{} = ?", quoted(column.name))).collect();
        let sql = format!("{} WHERE {}", self.select::<R>()?, wanted.join(" AND "));
        let cells =
            key.to_values().map_err(|reason| TableError::Cell { column: "the key".to_owned(), reason })?;
        let mut arguments = SqliteArguments::default();
        for cell in cells {
            bind(&mut arguments, cell)?;
        }
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let row = query.fetch_optional(&mut *self.transaction).await?;
        Ok(row.as_ref().map(read_row::<R>).transpose()?)
    }

    /// All rows, in the order of their keys.
    pub async fn all<R: Table>(&mut self) -> Result<Vec<R>, ReaderError> {
        let keys = R::SCHEMA.columns.iter().filter(|column| column.key);
        let order: Vec<_> = keys.map(|column| quoted(column.name)).collect();
        let sql = format!("{} ORDER BY {}", self.select::<R>()?, order.join(", "));
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *self.transaction).await?;
        Ok(rows.iter().map(read_row::<R>).collect::<Result<_, _>>()?)
    }

    fn select<R: Table>(&self) -> Result<String, ReaderError> {
        let schema = R::SCHEMA;
        if !self.model.tables().iter().any(|table| table.name == schema.name) {
            let (model, table) = (self.model.name().to_string(), schema.name.to_owned());
            return Err(ReaderError::UnknownTable { model, table });
        }
        let columns: Vec<_> = schema.columns.iter().map(|column| quoted(column.name)).collect();
        Ok(format!("SELECT {} FROM {}", columns.join(", "), quoted(schema.name)))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({:?} at {})", self.generation, self.checkpoint())
    }
}
