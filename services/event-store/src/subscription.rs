//! A subscription on its way out: read from the store only when the subscriber takes the next message.
//!
//! At the head the store's own subscription waits for events. Behind it, from the first message on, small pages are
//! read: a subscriber that stalls keeps two messages and nothing else, however much there is for it. One is being sent, and
//! HTTP holds the next one ready; each is [`MESSAGE_BYTES_MAX`], or one event if that is larger. What did not fit into a
//! message is not kept either; it is read again.

use crate::page::cut;
use annals_event::Sequence;
use annals_store::{Delivery, EventStore, Filter, ProgressPace, ReadError, ReadLog, Subscribe, Subscription};
use annals_wire::{status, v1};
use futures::stream::{self, BoxStream, StreamExt};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// About so many bytes of events are read, and sent, at once.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Messages to a subscriber.
pub(crate) type Messages = BoxStream<'static, Result<v1::SubscribeResponse, Status>>;

/// A subscription that was admitted.
pub(crate) struct Sender {
    store: Arc<dyn EventStore>,
    filter: Filter,
    /// Where to read on.
    from: Sequence,
    /// `None`: behind the head.
    live: Option<Subscription>,
    /// What the messages have told.
    progress: ProgressPace,
    shutdown: CancellationToken,
    /// One of the subscriptions that there may be at once.
    _permit: OwnedSemaphorePermit,
}

impl Sender {
    /// Subscribes to the store. Of what lies below the head the subscription itself would read more than is sent at once.
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

    /// The messages. They end with an error: the store's, or that the server shuts down.
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

    /// The next delivery that tells the subscriber something. While it is behind the head, it is told now and then how far
    /// the log was searched for it.
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

    /// A page from behind the head. With the last one the subscription becomes live again.
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
