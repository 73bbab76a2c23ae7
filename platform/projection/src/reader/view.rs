use super::{ReaderError, readers::pool};
use crate::{GenerationId, GenerationStatus, ReadModel, generation::read_status, sqlite::Connected};
use annals_event::Sequence;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::{fmt, path::Path};

/// One consistent view of one generation. Everything that it reads belongs together, whatever is folded or
/// promoted meanwhile. Drop it when the answer is there: an old view keeps old pages from being reused.
pub struct Reader {
    generation: GenerationId,
    status: GenerationStatus,
    model: ReadModel,
    transaction: Transaction<'static, Sqlite>,
}

impl Reader {
    pub(super) async fn begin(
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
    pub(super) fn model(&self) -> &ReadModel {
        &self.model
    }
}

impl Connected for Reader {
    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({:?} at {})", self.generation, self.checkpoint())
    }
}
