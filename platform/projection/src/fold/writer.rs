//! The right to write a generation.
//!
//! What always holds:
//!
//! * Nobody is locked out of a generation before it was found to be of this program's fold and of this store's log.
//! * A batch is written as a whole or not at all, also when a call is dropped halfway; a writer whose epoch was passed writes
//!   nothing.
//! * What a connection has in hand after a failure is unknown, so nothing is written on it before it was settled.

use super::DecodedBatch;
use crate::{
    FoldError, GenerationError, GenerationId, GenerationStatus, ReadModel, Tally,
    crash_point::{crash_point, is_planted},
    generation::{check_log, raise_epoch, read_status},
    sqlite::{End, begin_write, end_write, open_writer},
    unit::{Lookups, UnitWriter, Write},
};
use annals_event::Sequence;
use annals_store::{EventStore, ReadError, SeenLog};
use annals_telemetry::{BatchCounts, Run, batch_span, record_batch};
use sqlx::{Connection, SqliteConnection};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tracing::Instrument;

/// How long the store may take to say that what another worker wrote meanwhile is of its log; others wait for as long.
const CLAIM_CHECK_MAX: Duration = Duration::from_secs(1);

/// An open generation and the right to write it, until somebody else takes it.
pub(crate) struct GenerationWriter {
    id: GenerationId,
    path: PathBuf,
    model: ReadModel,
    connection: SqliteConnection,
    units: Vec<Box<dyn UnitWriter>>,
    lookups: Lookups,
    status: GenerationStatus,
    /// A transaction may be open, or its end unknown: the connection is opened anew before the next.
    unsettled: bool,
}

/// A generation that was found to be of the store's log, before anybody was locked out of it: the store may take long.
pub(crate) struct Unclaimed<'a> {
    id: GenerationId,
    path: &'a Path,
    model: &'a ReadModel,
    store: &'a dyn EventStore,
    connection: SqliteConnection,
    checked: GenerationStatus,
}

impl<'a> Unclaimed<'a> {
    /// Opens the generation in `path`, to be folded further from `store`.
    pub(crate) async fn open(
        id: GenerationId,
        path: &'a Path,
        model: &'a ReadModel,
        store: &'a dyn EventStore,
    ) -> Result<Self, GenerationError> {
        let mut connection = open_writer(path).await?;
        let checked = read_status(&mut connection).await?;
        check_log(store, id, &checked).await?;
        Ok(Self { id, path, model, store, connection, checked })
    }

    /// Takes the generation over.
    pub(crate) async fn claim(mut self) -> Result<GenerationWriter, GenerationError> {
        let Self { id, path, model, store, .. } = self;
        let connection = &mut self.connection;
        begin_write(connection).await?;
        let found = read_status(connection).await?;
        if let Some(reason) = found.refusal(model) {
            return Err(GenerationError::OtherFold { id: id.to_string(), reason });
        }
        // Before the epoch is raised: who may not write must not keep others from it.
        if found.seen() != self.checked.seen() {
            let late = || ReadError::Unavailable { reason: format!("no answer within {CLAIM_CHECK_MAX:?}") };
            let checking = tokio::time::timeout(CLAIM_CHECK_MAX, check_log(store, id, &found));
            checking.await.map_err(|_| late())??;
        }
        let epoch = raise_epoch(connection).await?;
        end_write(connection, End::Commit).await?;
        Ok(GenerationWriter {
            id,
            path: path.to_owned(),
            model: model.clone(),
            connection: self.connection,
            units: model.units().iter().map(|unit| unit.clone().writer()).collect(),
            lookups: Lookups::default(),
            status: GenerationStatus { epoch, ..found },
            unsettled: false,
        })
    }
}

impl GenerationWriter {
    /// Opens the generation in `path` and takes it over, to be folded further from `store`.
    pub(crate) async fn claim(
        id: GenerationId,
        path: &Path,
        model: &ReadModel,
        store: &dyn EventStore,
    ) -> Result<Self, GenerationError> {
        Unclaimed::open(id, path, model, store).await?.claim().await
    }

    /// The generation as it was after the last commit.
    pub(crate) fn status(&self) -> &GenerationStatus {
        &self.status
    }

    pub(crate) fn checkpoint(&self) -> Sequence {
        self.status.checkpoint
    }

    /// The generation, and what it has seen of the log: where a feed goes on.
    pub(crate) fn place(&self) -> (GenerationId, SeenLog) {
        (self.id, self.status.seen())
    }

    /// Writes a batch: rows, checkpoint and counts in one transaction. When it fails nothing was written, and the
    /// same batch may be tried again.
    pub(crate) async fn apply(&mut self, batch: &DecodedBatch, run: Run) -> Result<usize, FoldError> {
        if batch.through <= self.checkpoint() {
            return Ok(0);
        }
        if self.unsettled {
            // Also when the call before was dropped halfway.
            self.reset();
            self.connection = open_writer(&self.path).await?;
        }
        self.unsettled = true;
        match self.write(batch, run).await {
            Ok((rows, applied)) => {
                self.unsettled = false;
                self.status.checkpoint = batch.through;
                self.status.chain = batch.chain;
                self.status.applied = applied;
                Ok(rows)
            }
            Err(error) => {
                self.reset();
                self.unsettled = end_write(&mut self.connection, End::Rollback).await.is_err();
                Err(error)
            }
        }
    }

    /// The same in a span of its own. Behind the head a batch's events have no spans: there would be millions.
    pub(crate) async fn apply_traced(&mut self, batch: &DecodedBatch, run: Run) -> Result<(), FoldError> {
        let run = if batch.through < batch.head { Run::Replay } else { run };
        let span = batch_span(self.model.name().as_str(), run);
        let rows = self.apply(batch, run).instrument(span.clone()).await?;
        let events = usize::try_from(batch.applied.count).unwrap_or(usize::MAX);
        record_batch(&span, BatchCounts { events, outputs: rows, through: batch.through });
        Ok(())
    }

    /// Folds a batch up to its commit and takes all of it back, as a worker that is stopped there does. Whoever goes on gets
    /// the same events again.
    pub(crate) async fn apply_in_vain(&mut self, batch: &DecodedBatch, run: Run) -> Result<(), FoldError> {
        begin_write(&mut self.connection).await?;
        let folded = self.fold(batch, run).await;
        self.reset();
        end_write(&mut self.connection, End::Rollback).await?;
        folded.map(|_| ())
    }

    /// What is remembered of the rows may be wrong.
    fn reset(&mut self) {
        self.units.iter_mut().for_each(|unit| unit.reset());
        self.lookups.reset();
    }

    /// Folds a batch into the rows, within a transaction; says how many rows were written.
    async fn fold(&mut self, batch: &DecodedBatch, run: Run) -> Result<usize, FoldError> {
        let mut rows = 0;
        for (unit, work) in self.units.iter_mut().zip(&batch.work) {
            let consumer = self.model.name().as_str();
            let mut write =
                Write { connection: &mut self.connection, lookups: &mut self.lookups, consumer, run };
            rows += unit.apply(work, &mut write).await?;
        }
        Ok(rows)
    }

    async fn write(&mut self, batch: &DecodedBatch, run: Run) -> Result<(usize, Tally), FoldError> {
        debug_assert_eq!(batch.after, self.status.checkpoint, "a feed begins right after the checkpoint");
        let applied = self.status.applied.plus(batch.applied);
        begin_write(&mut self.connection).await?;
        crash_point("fold-begun")?;
        let rows = self.fold(batch, run).await?;
        crash_point("rows-written")?;
        let connection = &mut self.connection;
        if is_planted("checkpoint-outside-transaction") {
            end_write(connection, End::Commit).await?;
            crash_point("between-rows-and-checkpoint")?;
            begin_write(connection).await?;
        }
        let reached = Reached { through: batch.through, chain: batch.chain, applied };
        advance(connection, &self.status, &reached).await.map_err(|error| match error {
            Advance::Database(error) => error.into(),
            Advance::Fenced { found } => {
                FoldError::Fenced { generation: self.id.to_string(), mine: self.status.epoch, found }
            }
        })?;
        crash_point("checkpoint-written")?;
        end_write(connection, End::Commit).await?;
        crash_point("batch-committed")?;
        Ok((rows, applied))
    }

    /// Makes all that was committed durable: copies the WAL into the file and syncs it.
    pub(crate) async fn sync(&mut self) -> Result<(), FoldError> {
        sqlx::query("PRAGMA synchronous = FULL").execute(&mut self.connection).await?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut self.connection).await?;
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut self.connection).await?;
        Ok(())
    }

    /// Closes the file.
    pub(crate) async fn close(self) -> Result<(), FoldError> {
        Ok(self.connection.close().await?)
    }
}

enum Advance {
    Database(sqlx::Error),
    Fenced { found: u64 },
}

impl From<sqlx::Error> for Advance {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Where a batch brings a generation.
struct Reached {
    through: Sequence,
    chain: Option<[u8; 16]>,
    applied: Tally,
}

const ADVANCE: &str = "UPDATE annals_control SET sequence = ?, chain = ?, applied_count = ?, applied_sum = ?
    WHERE one = 1 AND epoch = ? AND sequence = ?";

/// Moves the checkpoint, if this writer still may.
async fn advance(
    connection: &mut SqliteConnection,
    mine: &GenerationStatus,
    reached: &Reached,
) -> Result<(), Advance> {
    let mut expected = (mine.epoch, mine.checkpoint);
    if is_planted("checkpoint-not-compared")
        && let Ok(found) = read_status(connection).await
    {
        expected = (found.epoch, found.checkpoint);
    }
    let (epoch, checkpoint) = expected;
    let updated = sqlx::query(ADVANCE)
        .bind(signed(reached.through.get()))
        .bind(reached.chain.as_ref().map(<[u8; 16]>::as_slice))
        .bind(signed(reached.applied.count))
        .bind(reached.applied.sum_bytes())
        .bind(signed(epoch))
        .bind(signed(checkpoint.get()))
        .execute(&mut *connection)
        .await?;
    if updated.rows_affected() == 1 {
        return Ok(());
    }
    let found = read_status(connection).await.map_or(0, |status| status.epoch);
    Err(Advance::Fenced { found })
}

/// SQLite's numbers are signed. A number that does not fit becomes the greatest, which matches no row.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
