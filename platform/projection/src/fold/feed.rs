//! Reads the log ahead of the writer and decodes on other threads, a bounded number of batches ahead. What was seen of the
//! log so far is checked when the feed has subscribed, and each batch brings the chain value at its end.

use super::{
    DecodedBatch, EventError, FoldError,
    batch::{Span, cut},
};
use crate::{GenerationId, ReadModel, generation::check_seen};
use annals_event::{EventBatch, Sequence};
use annals_store::{EventStore, ReadError, SeenLog, Subscribe, Subscription, chain_at};
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
    /// The generation, and what it has seen of the log: the feed begins behind it.
    pub(crate) place: (GenerationId, SeenLog),
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
    let FeedOptions { model, store, place: (generation, mut seen), until } = options;
    let decoder = Decoder { model, store: store.clone() };
    while seen.through < until {
        let filter = decoder.model.filter().clone();
        let mut subscription = store.subscribe(Subscribe::after(seen.through, filter)).await?;
        check_seen(&*store, generation, &seen).await?;
        while seen.through < until
            && let Some((events, span)) = collect(&mut subscription, seen.through, until).await?
        {
            for batch in decoder.decode(events, span).await {
                if let Ok(batch) = &batch {
                    (seen.through, seen.chain) = (batch.through, batch.chain);
                }
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Joins deliveries into one batch while there are more at once. `None`: the adapter had lost the log, so that what was
/// collected may not belong together.
async fn collect(
    subscription: &mut Subscription,
    after: Sequence,
    until: Sequence,
) -> Result<Option<(Vec<EventBatch>, Span)>, ReadError> {
    let (mut events, mut count, mut bytes) = (Vec::new(), 0, 0);
    loop {
        let delivery = subscription.next().await?;
        if delivery.resumed {
            return Ok(None);
        }
        let (through, head) = (delivery.through.max(after), delivery.head);
        count += delivery.events.len();
        bytes += delivery.events.size_bytes();
        events.push(delivery.events);
        if through >= until {
            let span = Span { after, through: until, head };
            return Ok(Some((cut(&events, until.next()), span)));
        }
        if through >= head || count >= BATCH_EVENTS || bytes >= BATCH_BYTES {
            return Ok(Some((events, Span { after, through, head })));
        }
    }
}

struct Decoder {
    model: ReadModel,
    store: Arc<dyn EventStore>,
}

impl Decoder {
    /// The decoded batch; when an event cannot be decoded, the batch of those before it and then the error.
    async fn decode(&self, events: Vec<EventBatch>, span: Span) -> Vec<Result<DecodedBatch, FoldError>> {
        let (error, events) = match self.with_chain(events, span).await {
            Ok(Ok(batch)) => return vec![Ok(batch)],
            Ok(Err(failed)) => failed,
            Err(error) => return vec![Err(error.into())],
        };
        let before = Span { through: error.sequence.previous().max(span.after), ..span };
        match self.with_chain(cut(&events, error.sequence), before).await {
            Ok(Ok(batch)) => vec![Ok(batch), Err(error.into())],
            Ok(Err((earlier, _))) => vec![Err(earlier.into())],
            Err(error) => vec![Err(error.into())],
        }
    }

    /// Decodes, then asks for the chain value. One after the other: even from the disk the answer takes less than a hundredth
    /// of a large batch's decoding, and a small one's is in memory.
    async fn with_chain(
        &self,
        events: Vec<EventBatch>,
        span: Span,
    ) -> Result<Result<DecodedBatch, Undecoded>, ReadError> {
        Ok(match decode_off(&self.model, events, span).await {
            Ok(batch) => Ok(batch.with_chain(chain_at(&*self.store, span.through).await?)),
            Err(failed) => Err(failed),
        })
    }
}

/// The event that cannot be decoded, and all events of its batch.
type Undecoded = (EventError, Vec<EventBatch>);

async fn decode_off(
    model: &ReadModel,
    events: Vec<EventBatch>,
    span: Span,
) -> Result<DecodedBatch, Undecoded> {
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
