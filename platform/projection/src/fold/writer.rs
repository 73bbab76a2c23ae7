//! The right to write a generation.
//!
//! What always holds:
//!
//! * Nobody is locked out of a generation before it was found to be of this program's fold and of this store's log.
//! * A batch is written as a whole or not at all, also when a call is dropped halfway; a writer whose epoch was passed writes
//!   nothing.
//! * After a failure what is remembered of the rows is forgotten before anything else is written.

use super::{DecodedBatch, same_log::check_log};
use crate::{
    Catalog, FoldError, GenerationError, GenerationId, GenerationStatus, ReadModel,
    backend::{Advance, DatabaseError, Fence, Slot, Target, Tx, Writer, crash_point},
    unit::{Lookups, UnitWriter, Write},
};
use annals_event::Sequence;
use annals_store::{EventStore, ReadError, SeenLog};
use annals_telemetry::{BatchCounts, Run, batch_span, record_batch};
use std::time::Duration;
use tracing::Instrument;

/// How long the store may take to say that what another worker wrote meanwhile is of its log; others wait for as long.
const CLAIM_CHECK_MAX: Duration = Duration::from_secs(1);

/// An open generation and the right to write it, until somebody else takes it.
pub(crate) struct GenerationWriter {
    id: GenerationId,
    model: ReadModel,
    writer: Box<dyn Writer>,
    units: Vec<Box<dyn UnitWriter>>,
    lookups: Lookups,
    /// What is remembered of the rows may be wrong: a call failed, or was dropped halfway.
    unsettled: bool,
}

/// A generation that was found to be of the store's log, before anybody was locked out of it: the store may take long.
pub(crate) struct Unclaimed<'a> {
    id: GenerationId,
    catalog: &'a Catalog,
    model: &'a ReadModel,
    store: &'a dyn EventStore,
    checked: GenerationStatus,
}

impl<'a> Unclaimed<'a> {
    /// Looks at the generation, which is to be folded further from `store`.
    pub(crate) async fn open(
        id: GenerationId,
        catalog: &'a Catalog,
        model: &'a ReadModel,
        store: &'a dyn EventStore,
    ) -> Result<Self, GenerationError> {
        let view = catalog.backend().view(&Slot::of(model), Target::Generation(id)).await?;
        let checked = view.status().clone();
        drop(view);
        check_log(store, id, &checked).await?;
        Ok(Self { id, catalog, model, store, checked })
    }

    /// Locks the generation, and finds out whether it can be taken over.
    pub(crate) async fn fence(&self) -> Result<Box<dyn Fence>, GenerationError> {
        let Self { id, model, store, .. } = self;
        let fence = self.catalog.backend().fence(&Slot::of(model), *id).await?;
        let found = fence.status();
        if let Some(reason) = found.refusal(model) {
            return Err(GenerationError::OtherFold { id: id.to_string(), reason });
        }
        // Before the epoch is raised: who may not write must not keep others from it.
        if found.seen() != self.checked.seen() {
            let late = || ReadError::Unavailable { reason: format!("no answer within {CLAIM_CHECK_MAX:?}") };
            let checking = tokio::time::timeout(CLAIM_CHECK_MAX, check_log(*store, *id, found));
            checking.await.map_err(|_| late())??;
        }
        Ok(fence)
    }

    /// Takes the generation over.
    pub(crate) async fn claim(self) -> Result<GenerationWriter, GenerationError> {
        let fence = self.fence().await?;
        self.claim_fenced(fence).await
    }

    /// Takes the generation over that `fence` has locked.
    pub(crate) async fn claim_fenced(
        self,
        fence: Box<dyn Fence>,
    ) -> Result<GenerationWriter, GenerationError> {
        let model = self.model.clone();
        Ok(GenerationWriter {
            id: self.id,
            writer: fence.claim().await?,
            units: model.units().iter().map(|unit| unit.clone().writer()).collect(),
            model,
            lookups: Lookups::default(),
            unsettled: false,
        })
    }
}

impl GenerationWriter {
    /// Takes the generation over, to be folded further from `store`.
    pub(crate) async fn claim(
        id: GenerationId,
        catalog: &Catalog,
        model: &ReadModel,
        store: &dyn EventStore,
    ) -> Result<Self, GenerationError> {
        Unclaimed::open(id, catalog, model, store).await?.claim().await
    }

    /// The generation as it was after the last commit.
    pub(crate) fn status(&self) -> &GenerationStatus {
        self.writer.status()
    }

    pub(crate) fn checkpoint(&self) -> Sequence {
        self.status().checkpoint
    }

    /// The generation, and what it has seen of the log: where a feed goes on.
    pub(crate) fn place(&self) -> (GenerationId, SeenLog) {
        (self.id, self.status().seen())
    }

    /// Writes a batch: rows, checkpoint and counts in one transaction. When it fails nothing was written, and the
    /// same batch may be tried again.
    pub(crate) async fn apply(&mut self, batch: &DecodedBatch, run: Run) -> Result<usize, FoldError> {
        if batch.through <= self.checkpoint() {
            return Ok(0);
        }
        if std::mem::replace(&mut self.unsettled, true) {
            // Also when the call before was dropped halfway.
            self.reset();
        }
        let written = self.write(batch, run).await;
        self.unsettled = written.is_err();
        written
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
        let mut tx = self.writer.begin().await?;
        let folded = Folded { batch, model: &self.model, run };
        let folded = fold(&mut *tx, &mut self.units, &mut self.lookups, folded).await;
        let rolled_back = tx.roll_back().await;
        self.reset();
        folded.and(rolled_back.map_err(Into::into))
    }

    /// What is remembered of the rows may be wrong.
    fn reset(&mut self) {
        self.units.iter_mut().for_each(|unit| unit.reset());
        self.lookups.reset();
    }

    async fn write(&mut self, batch: &DecodedBatch, run: Run) -> Result<usize, FoldError> {
        let mut tx = self.writer.begin().await?;
        let before = tx.status().clone();
        if before.checkpoint >= batch.through {
            // The commit before had succeeded, though nobody heard of it.
            tx.roll_back().await?;
            self.reset();
            return Ok(0);
        }
        let fenced = |found| FoldError::Fenced { generation: self.id.to_string(), mine: before.epoch, found };
        if before.checkpoint != batch.after {
            tx.roll_back().await?;
            return Err(fenced(before.epoch));
        }
        crash_point("fold-begun")?;
        let folded = Folded { batch, model: &self.model, run };
        let rows = match fold(&mut *tx, &mut self.units, &mut self.lookups, folded).await {
            Ok(rows) => rows,
            Err(error) => {
                // The error is what matters; a transaction that cannot be ended now is ended by the next.
                let _ = tx.roll_back().await;
                return Err(error);
            }
        };
        crash_point("rows-written")?;
        let applied = before.applied.plus(batch.applied);
        let advance = Advance { through: batch.through, chain: batch.chain, applied };
        tx.commit(advance).await.map_err(|error| match error {
            DatabaseError::Fenced { found } => fenced(found),
            error => error.into(),
        })?;
        crash_point("batch-committed")?;
        Ok(rows)
    }

    /// Makes the generation ready to be promoted: its indexes are there, and all that was committed is durable.
    pub(crate) async fn finish(&mut self) -> Result<(), FoldError> {
        Ok(self.writer.finish(self.model.schema()).await?)
    }

    /// Lets go of the generation's database.
    pub(crate) async fn close(self) -> Result<(), FoldError> {
        Ok(self.writer.close().await?)
    }
}

/// What is folded.
#[derive(Clone, Copy)]
struct Folded<'a> {
    batch: &'a DecodedBatch,
    model: &'a ReadModel,
    run: Run,
}

/// Folds a batch into the rows, within a transaction; says how many rows were written.
async fn fold(
    tx: &mut dyn Tx,
    units: &mut [Box<dyn UnitWriter>],
    lookups: &mut Lookups,
    Folded { batch, model, run }: Folded<'_>,
) -> Result<usize, FoldError> {
    let mut rows = 0;
    for (unit, work) in units.iter_mut().zip(&batch.work) {
        let mut write = Write { tx, lookups, consumer: model.name().as_str(), run };
        rows += unit.apply(work, &mut write).await?;
    }
    Ok(rows)
}
