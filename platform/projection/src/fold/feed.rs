//! Reads the log and decodes on other threads, a bounded number of batches ahead of the writer. Once the feed has subscribed
//! it checks that the store holds the log that the generation was folded from. Each batch carries the chain value at its end,
//! from the same opening of the log as its events.
//!
//! A batch is bounded by the number of its events, by the memory that they keep, and by the stretch of the log that it covers:
//! the checkpoint moves however rare the wanted events are.

use super::{
    batch::{DecodedBatch, Span, cut},
    same_log::check_seen,
};
use crate::{
    GenerationId, ReadModel,
    error::{EventError, FoldError},
};
use annals_event::{EventBatch, Opening, Sequence};
use annals_store::{Delivery, EventStore, ReadError, SeenLog, Subscribe, Subscription, chain_in};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// About how many events a batch has while the fold is behind. At the head a batch is what there is.
const BATCH_EVENTS: usize = 16_384;
/// About how many bytes of memory the events of a batch keep.
const BATCH_BYTES: usize = 8 << 20;
/// A batch covers at most this many sequence numbers, unless at least half of them are wanted. A fold that is stopped covers
/// them again.
const SCANNED_MAX: u64 = 10_000;
/// How many decoded batches wait for the writer, besides the one that is being decoded.
const BATCHES_AHEAD: usize = 1;
/// Fewer events than this are decoded where they are read: handing them to a thread would take longer.
const EVENTS_INLINE: usize = 32;

/// What a feed reads.
pub(crate) struct FeedOptions {
    pub(crate) model: ReadModel,
    pub(crate) store: Arc<dyn EventStore>,
    /// The generation, and what it has seen of the log: the feed begins right after it.
    pub(crate) place: (GenerationId, SeenLog),
    /// The last event that is wanted; `Sequence::MAX`: all that come.
    pub(crate) until: Sequence,
}

/// The batches after a checkpoint, decoded. Dropping it stops the reading.
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
        let opening = store.head().await?.opening;
        let subscription = store.subscribe(Subscribe::after(seen.through, filter)).await?;
        check_seen(&*store, generation, &seen).await?;
        let mut collector = Collector::new(subscription, opening);
        while seen.through < until
            && let Some((events, span)) = collector.collect(seen.through, until).await?
        {
            for batch in decoder.decode(events, span).await {
                if let Ok(batch) = &batch
                    && batch.through > seen.through
                {
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

/// Joins deliveries into batches.
struct Collector {
    subscription: Subscription,
    opening: Opening,
    /// What of the last delivery was too much for its batch.
    left: Option<Delivery>,
}

impl Collector {
    fn new(subscription: Subscription, opening: Opening) -> Self {
        Self { subscription, opening, left: None }
    }

    /// The next batch: what there is at once, as far as one may go. `None`: the adapter had lost the log, so that what was
    /// collected may not belong together.
    async fn collect(
        &mut self,
        after: Sequence,
        until: Sequence,
    ) -> Result<Option<(Vec<EventBatch>, Span)>, ReadError> {
        let (mut events, mut count, mut bytes) = (Vec::new(), 0, 0);
        let mut span = Span { after, through: after, head: Sequence::ZERO, opening: self.opening };
        loop {
            let delivery = self.next().await?;
            if delivery.resumed {
                return Ok(None);
            }
            let reached = delivery.through.max(after).min(until);
            let is_sparse = is_sparse(reached.get() - after.get(), count + delivery.events.len());
            let scanned = span.through.max(after.plus(SCANNED_MAX));
            (span.through, span.head) = (if is_sparse { scanned } else { reached }, delivery.head);
            let taken = self.take(delivery, span.through);
            (count, bytes) = (count + taken.len(), bytes + taken.buffer_bytes());
            if !taken.is_empty() {
                events.push(taken);
            }
            let is_full = is_sparse || count >= BATCH_EVENTS || bytes >= BATCH_BYTES;
            if is_full || span.through >= until.min(span.head) {
                return Ok(Some((events, span)));
            }
        }
    }

    async fn next(&mut self) -> Result<Delivery, ReadError> {
        match self.left.take() {
            Some(left) => Ok(left),
            None => self.subscription.next().await,
        }
    }

    /// The delivery's events up to `through`; the others are left for the next batch.
    fn take(&mut self, delivery: Delivery, through: Sequence) -> EventBatch {
        if through >= delivery.through {
            return delivery.events;
        }
        let taken = delivery.events.filter(|event| event.sequence() <= through);
        let events = delivery.events.filter(|event| event.sequence() > through);
        self.left = Some(Delivery { events, ..delivery });
        taken
    }
}

/// Whether so many events are few for a batch that goes over `scanned` sequence numbers, and those are many.
fn is_sparse(scanned: u64, events: usize) -> bool {
    scanned > SCANNED_MAX && u64::try_from(events).unwrap_or(u64::MAX) < scanned / 2
}

struct Decoder {
    model: ReadModel,
    store: Arc<dyn EventStore>,
}

impl Decoder {
    /// The decoded batch; when events cannot be decoded, the batch of those before the first of them and then its error.
    async fn decode(&self, events: Vec<EventBatch>, span: Span) -> Vec<Result<DecodedBatch, FoldError>> {
        let (mut events, mut span, mut failed) = (events, span, None);
        loop {
            match self.with_chain(events, span).await {
                Ok(Ok(batch)) => return [Ok(batch)].into_iter().chain(failed.map(Err)).collect(),
                // One table may fail at an event after the one that another table fails at.
                Ok(Err((error, all))) => {
                    span.through = error.sequence.previous().max(span.after);
                    events = cut(&all, error.sequence);
                    failed = Some(error.into());
                }
                Err(error) => return vec![Err(error.into())],
            }
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
            Ok(batch) => Ok(batch.with_chain(chain_in(&*self.store, span.through, span.opening).await?)),
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

#[cfg(test)]
mod tests;
