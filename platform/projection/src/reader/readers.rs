//! Which generation readers are bound to, and how they notice that another is live.

use super::{Reader, ReaderError, WaitError};
use crate::{Catalog, GenerationError, GenerationId, ReadModel, file_id::FileId, sqlite::reader_options};
use annals_event::Token;
use parking_lot::Mutex;
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
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

pub(super) fn pool(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(READER_TIMEOUT)
        .test_before_acquire(false)
        .connect_lazy_with(reader_options(path))
}
