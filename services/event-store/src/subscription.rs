//! The server's side of a subscription: it reads from the store only when the subscriber takes the next message.
//!
//! At the head, the store's own subscription waits for events. While the subscriber is behind the head, even at the first
//! message, the log is read in small pages instead, so a stalled subscriber holds only two messages in memory, however many
//! events wait for it: one that is being sent, and the next, which HTTP holds ready. The events of a message have at most
//! [`MESSAGE_BYTES_MAX`], unless a single event is larger. Events that did not fit into a message are not kept, but read
//! again.

use crate::page::cut;
use annals_event::Sequence;
use annals_store::{Delivery, EventStore, Filter, ProgressPace, ReadError, ReadLog, Subscribe, Subscription};
use annals_wire::{status, v1};
use futures::stream::{self, BoxStream, StreamExt};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// About how many bytes of events are read and sent at a time.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// The messages to a subscriber.
pub(crate) type Messages = BoxStream<'static, Result<v1::SubscribeResponse, Status>>;

/// A subscription that was admitted.
pub(crate) struct Sender {
    store: Arc<dyn EventStore>,
    filter: Filter,
    /// The first sequence number that has not been sent or skipped.
    from: Sequence,
    /// `None`: behind the head.
    live: Option<Subscription>,
    /// How far the subscriber has been told that the log was searched.
    progress: ProgressPace,
    shutdown: CancellationToken,
    /// Counts against the maximum number of subscriptions.
    _permit: OwnedSemaphorePermit,
}

impl Sender {
    /// Subscribes to the store. Below the head the store's subscription is not used, because it reads more than one message
    /// at a time.
    pub(crate) async fn open(
        store: Arc<dyn EventStore>,
        subscribe: Subscribe,
        permit: OwnedSemaphorePermit,
        shutdown: CancellationToken,
    ) -> Result<Self, ReadError> {
        let live = store.subscribe(subscribe.clone()).await?;
        let is_behind = subscribe.from <= store.head().await?.last;
        let live = (!is_behind).then_some(live);
        let Subscribe { from, filter } = subscribe;
        Ok(Self { store, filter, from, live, progress: ProgressPace::default(), shutdown, _permit: permit })
    }

    /// The messages. They end with an error: one of the store's, or that the server is shutting down.
    pub(crate) fn messages(self) -> Messages {
        let step = async |sender: Option<Self>| {
            let mut sender = sender?;
            match sender.next().await {
                Ok(message) => Some((Ok(message), Some(sender))),
                Err(error) => Some((Err(status::of_read_error(&error)), None)),
            }
        };
        stream::unfold(Some(self), step).boxed()
    }

    async fn next(&mut self) -> Result<v1::SubscribeResponse, ReadError> {
        let shutdown = self.shutdown.clone();
        let ended = || Err(ReadError::Unavailable { reason: "the server is shutting down".into() });
        let delivery = shutdown.run_until_cancelled(self.news()).await.unwrap_or_else(ended)?;
        let cut = cut(&delivery.events, MESSAGE_BYTES_MAX)?;
        let before_rest = cut.first_left(&delivery.events).map(|event| event.sequence().previous());
        let through = before_rest.unwrap_or(delivery.through);
        if through < delivery.head {
            self.live = None;
        }
        self.from = self.from.max(through.next());
        self.progress.tell(through);
        let (through, head) = (through.get(), delivery.head.get());
        Ok(v1::SubscribeResponse { events: cut.events, through, head })
    }

    /// The next delivery worth sending: one with events or with progress. While the subscriber is behind the head, progress
    /// without events is sent only now and then.
    async fn news(&mut self) -> Result<Delivery, ReadError> {
        loop {
            let (delivery, is_page) = match &mut self.live {
                Some(live) => (live.next().await?, false),
                None => (self.page().await?, true),
            };
            let through = delivery.through;
            let is_news = match is_page && !delivery.is_caught_up() {
                true => self.progress.is_due(through),
                false => self.progress.is_news(through),
            };
            if is_news || !delivery.events.is_empty() {
                return Ok(delivery);
            }
            self.from = self.from.max(through.next());
        }
    }

    /// The next page of the log, for a subscriber behind the head. At the last page the subscription becomes live again.
    async fn page(&mut self) -> Result<Delivery, ReadError> {
        let read =
            ReadLog { bytes_max: MESSAGE_BYTES_MAX, ..ReadLog::filtered(self.from, self.filter.clone()) };
        let page: Delivery = self.store.read_log(read).await?.into();
        if page.is_caught_up() {
            let subscribe = Subscribe::after(page.through, self.filter.clone());
            self.live = Some(self.store.subscribe(subscribe).await?);
        }
        Ok(page)
    }
}
