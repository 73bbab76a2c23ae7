//! Passing one batch at a time from the feed to the writer. A batch that the database refused is kept for the next step. Any
//! other error ends the fold with all that it has read: the log may be another one when somebody looks again.

use super::{DecodedBatch, Feed, FeedOptions, GenerationWriter};
use crate::{FoldError, ReadModel};
use annals_event::Sequence;
use annals_store::EventStore;
use annals_telemetry::Run;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A fold of a generation, batch by batch, from the writer's checkpoint on.
pub(crate) struct Folding {
    model: ReadModel,
    store: Arc<dyn EventStore>,
    run: Run,
    /// `None`: an error ended the fold.
    feed: Option<Feed>,
    /// The batch that the database did not take.
    unwritten: Option<DecodedBatch>,
}

/// What a step of a fold came to.
pub(crate) enum Step {
    /// A batch was written. The log's head when it was read.
    Folded { head: Sequence },
    /// There is no more: the fold is where it was to go, or an error ended it.
    Reached,
    /// It was cancelled between two batches.
    Cancelled,
}

impl Folding {
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
        Self { model, store, run, feed: Some(Feed::start(options)), unwritten: None }
    }

    /// Writes the next batch. An error that passes by itself may be followed by another step: it goes on with the batch that
    /// the database did not take, or finds nothing more, and then a new fold goes on. A step that is dropped halfway has written
    /// its batch or nothing of it; the fold is over then.
    pub(crate) async fn step(
        &mut self,
        writer: &mut GenerationWriter,
        cancel: &CancellationToken,
    ) -> Result<Step, FoldError> {
        let batch = match (self.unwritten.take(), &mut self.feed) {
            (Some(batch), _) => batch,
            (None, None) => return Ok(Step::Reached),
            // Being cancelled goes before a batch that is there.
            (None, Some(feed)) => tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(Step::Cancelled),
                batch = feed.next() => match batch {
                    Some(batch) => batch?,
                    None => return Ok(Step::Reached),
                },
            },
        };
        match self.write(writer, &batch).await {
            Ok(()) => Ok(Step::Folded { head: batch.head }),
            // Nothing is folded that comes after what was not written.
            Err(error @ FoldError::Database(_)) => {
                self.unwritten = Some(batch);
                Err(error)
            }
            Err(error) => {
                self.feed = None;
                Err(error)
            }
        }
    }

    /// Writes the batch, or what of it comes before the first event that cannot be applied.
    async fn write(&self, writer: &mut GenerationWriter, batch: &DecodedBatch) -> Result<(), FoldError> {
        let Err(mut error) = writer.apply_traced(batch, self.run).await else { return Ok(()) };
        // One table may fail at an event after the one that another table fails at.
        while let FoldError::Event(event) = &error {
            let before = batch.before(&self.model, &*self.store, event.sequence).await?;
            match writer.apply(&before, self.run).await {
                Ok(_) => break,
                Err(earlier) => error = earlier,
            }
        }
        Err(error)
    }
}
