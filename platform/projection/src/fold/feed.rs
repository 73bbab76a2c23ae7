//! Reads the log ahead of the writer and decodes on other threads, a bounded number of batches ahead.

use super::{
    DecodedBatch, EventError, FoldError,
    batch::{Span, cut},
};
use crate::ReadModel;
use annals_event::{EventBatch, Sequence};
use annals_store::{EventStore, Subscribe, Subscription};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// About how many events a batch has while the fold is behind. At the head a batch is what there is.
const BATCH_EVENTS: usize = 16_384;
/// About how many bytes of records a batch has.
const BATCH_BYTES: usize = 8 << 20;
/// How many decoded batches wait for the writer, besides the one that is being decoded.
const BATCHES_AHEAD: usize = 1;
/// Fewer events than this are decoded where they are read: handing them to a thread would take longer.
const EVENTS_INLINE: usize = 32;

/// What a feed reads.
pub(crate) struct FeedOptions {
    pub(crate) model: ReadModel,
    pub(crate) store: Arc<dyn EventStore>,
    /// The checkpoint: the feed begins behind it.
    pub(crate) after: Sequence,
    /// The last event that is wanted; `Sequence::MAX`: all that come.
    pub(crate) until: Sequence,
}

/// The batches behind a checkpoint, decoded. Dropping it stops the reading.
pub(crate) struct Feed {
    batches: mpsc::Receiver<Result<DecodedBatch, FoldError>>,
    /// `None`: how it ended is known.
    reader: Option<AbortOnDropHandle<()>>,
}

impl Feed {
    pub(crate) fn start(options: FeedOptions) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let reader = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = read(options, &sender).await {
                // A receiver that is gone has no use for the error.
                let _ = sender.send(Err(error)).await;
            }
        }));
        Self { batches, reader: Some(reader) }
    }

    /// The next batch; `None`: `until` was reached, or the feed ended with the error before.
    pub(crate) async fn next(&mut self) -> Option<Result<DecodedBatch, FoldError>> {
        if let Some(batch) = self.batches.recv().await {
            return Some(batch);
        }
        // A reader that panicked has not reached `until`, whatever its silence looks like.
        let ended = self.reader.as_mut()?.await;
        self.reader = None;
        ended.err().map(|_| Err(FoldError::Panicked))
    }
}

type Sender = mpsc::Sender<Result<DecodedBatch, FoldError>>;

async fn read(options: FeedOptions, sender: &Sender) -> Result<(), FoldError> {
    let mut after = options.after;
    let filter = options.model.filter().clone();
    let mut subscription = options.store.subscribe(Subscribe::after(after, filter)).await?;
    while after < options.until {
        let (events, span) = collect(&mut subscription, after, options.until).await?;
        after = span.through;
        for batch in decode(&options.model, events, span).await {
            let failed = batch.is_err();
            if sender.send(batch).await.is_err() || failed {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Joins deliveries into one batch while there are more at once.
async fn collect(
    subscription: &mut Subscription,
    after: Sequence,
    until: Sequence,
) -> Result<(Vec<EventBatch>, Span), FoldError> {
    let (mut events, mut count, mut bytes) = (Vec::new(), 0, 0);
    loop {
        let delivery = subscription.next().await?;
        let (through, head) = (delivery.through.max(after), delivery.head);
        count += delivery.events.len();
        bytes += delivery.events.size_bytes();
        events.push(delivery.events);
        if through >= until {
            let span = Span { after, through: until, head };
            return Ok((cut(&events, until.next()), span));
        }
        if through >= head || count >= BATCH_EVENTS || bytes >= BATCH_BYTES {
            return Ok((events, Span { after, through, head }));
        }
    }
}

/// The decoded batch; when an event cannot be decoded, the batch of those before it and then the error.
async fn decode(
    model: &ReadModel,
    events: Vec<EventBatch>,
    span: Span,
) -> Vec<Result<DecodedBatch, FoldError>> {
    let (error, events) = match decode_off(model, events, span).await {
        Ok(batch) => return vec![Ok(batch)],
        Err(failed) => failed,
    };
    let before = Span { through: error.sequence.previous().max(span.after), ..span };
    match decode_off(model, cut(&events, error.sequence), before).await {
        Ok(batch) => vec![Ok(batch), Err(error.into())],
        Err((earlier, _)) => vec![Err(earlier.into())],
    }
}

async fn decode_off(
    model: &ReadModel,
    events: Vec<EventBatch>,
    span: Span,
) -> Result<DecodedBatch, (EventError, Vec<EventBatch>)> {
    if events.iter().map(EventBatch::len).sum::<usize>() <= EVENTS_INLINE {
        return DecodedBatch::decode(model, events, span);
    }
    let model = model.clone();
    let decoding = tokio::task::spawn_blocking(move || DecodedBatch::decode(&model, events, span));
    match decoding.await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down: so does the caller.
            Err(_) => std::future::pending().await,
        },
    }
}
