use super::{DecodedBatch, Feed, FeedOptions, GenerationWriter};
use crate::{FoldError, ReadModel};
use annals_event::Sequence;
use annals_store::EventStore;
use annals_telemetry::Run;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A fold of a generation, batch by batch, from the writer's checkpoint on.
pub(crate) struct Fold {
    model: ReadModel,
    store: Arc<dyn EventStore>,
    run: Run,
    feed: Feed,
    /// The batch that was not written.
    unwritten: Option<DecodedBatch>,
}

/// What a step of a fold came to.
pub(crate) enum Step {
    /// A batch was written. The log's head when it was read.
    Folded { head: Sequence },
    /// There is no more: the fold is where it was to go.
    Reached,
    /// It was cancelled between two batches.
    Cancelled,
}

impl Fold {
    /// Begins to read for `writer`, up to `until`; `Sequence::MAX`: all that comes.
    pub(crate) fn start(
        model: &ReadModel,
        store: &Arc<dyn EventStore>,
        writer: &GenerationWriter,
        run: Run,
        until: Sequence,
    ) -> Self {
        let (model, store) = (model.clone(), store.clone());
        let options =
            FeedOptions { model: model.clone(), store: store.clone(), place: writer.place(), until };
        Self { model, store, run, feed: Feed::start(options), unwritten: None }
    }

    /// Writes the next batch. An error that passes by itself may be followed by another step, which goes on with the same
    /// batch; where the feed was the one that failed, it finds nothing more, and a new fold goes on.
    pub(crate) async fn step(
        &mut self,
        writer: &mut GenerationWriter,
        cancel: &CancellationToken,
    ) -> Result<Step, FoldError> {
        let batch = match self.unwritten.take() {
            Some(batch) => batch,
            // A batch that is there does not go before being cancelled; one that is being written is never cut short.
            None => tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(Step::Cancelled),
                batch = self.feed.next() => match batch {
                    Some(batch) => batch?,
                    None => return Ok(Step::Reached),
                },
            },
        };
        match self.write(writer, &batch).await {
            Ok(()) => Ok(Step::Folded { head: batch.head }),
            Err(error) => {
                // Nothing is folded that comes after what was not written.
                self.unwritten = Some(batch);
                Err(error)
            }
        }
    }

    /// Writes the batch, or what of it comes before an event that cannot be applied.
    async fn write(&self, writer: &mut GenerationWriter, batch: &DecodedBatch) -> Result<(), FoldError> {
        let Err(error) = writer.apply_traced(batch, self.run).await else { return Ok(()) };
        if let FoldError::Event(event) = &error {
            let before = batch.before(&self.model, &*self.store, event.sequence).await?;
            writer.apply(&before, self.run).await?;
        }
        Err(error)
    }
}
