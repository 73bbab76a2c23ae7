//! Catch-up, then live, as one stream of deliveries.
//!
//! Events are delivered at once. Progress without events is told at once in the first delivery and from time to time
//! after that ([`ProgressPace`]): an append costs nothing to subscribers that do not want its events.

use crate::{Filter, LogPage, ProgressPace, ReadError, ReadLog};
use annals_event::{EventBatch, Sequence};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use std::{fmt, sync::Arc};

/// What to subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The sequence number to begin with, included.
    pub from: Sequence,
    /// Only these events.
    pub filter: Filter,
}

impl Subscribe {
    /// The events after a checkpoint at `through` that `filter` accepts.
    pub fn after(through: Sequence, filter: Filter) -> Self {
        Self { from: through.next(), filter }
    }
}

/// The next piece of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Events that the filter accepted, in order. Empty: only progress.
    pub events: EventBatch,
    /// Every wanted event up to here was delivered: a checkpoint may move here.
    pub through: Sequence,
    /// The log's last sequence number when this was read; it says how far behind the subscriber is.
    pub head: Sequence,
    /// Before this, the adapter had lost the log and found it again by itself. In the meantime the log may have been
    /// restored from a backup: a consumer that keeps a [`SeenLog`](crate::SeenLog) checks it and subscribes again.
    /// True in a first delivery only if the log was lost after `subscribe` had answered.
    pub resumed: bool,
}

impl Delivery {
    /// Whether the subscriber has everything that was there when this was read.
    pub fn is_caught_up(&self) -> bool {
        self.through >= self.head
    }
}

impl From<LogPage> for Delivery {
    fn from(LogPage { events, through, head }: LogPage) -> Self {
        Self { events, through, head, resumed: false }
    }
}

/// A running subscription. Dropping it ends it. After an error it has ended; subscribe again after the last
/// `through`.
pub struct Subscription(BoxStream<'static, Result<Delivery, ReadError>>);

impl Subscription {
    /// A subscription that yields what `stream` yields. For adapters.
    pub fn new(stream: impl futures::Stream<Item = Result<Delivery, ReadError>> + Send + 'static) -> Self {
        Self(stream.boxed())
    }

    /// A subscription that reads `source` page by page and waits at its head. It reads only when the subscriber asks,
    /// so a stalled one costs nothing. For adapters in the log's own process.
    ///
    /// The first delivery comes at once, even if no event follows the checkpoint yet: it tells a new subscriber that
    /// it is caught up.
    pub fn following(source: Arc<dyn Follow>, subscribe: Subscribe) -> Self {
        let progress = ProgressPace::default();
        let start = Follower { source, filter: subscribe.filter, from: subscribe.from, progress };
        Self::new(stream::unfold(Some(start), async |follower| {
            let mut follower = follower?;
            match follower.next().await {
                Ok(delivery) => Some((Ok(delivery), Some(follower))),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// The next piece; waits for one at the head. An adapter that ends says why in an error.
    ///
    /// Cancel safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> Result<Delivery, ReadError> {
        let ended = || ReadError::Unavailable { reason: "the subscription ended".into() };
        self.0.next().await.unwrap_or_else(|| Err(ended()))
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

/// What [`Subscription::following`] needs from an adapter.
#[async_trait]
pub trait Follow: Send + Sync {
    /// A page of the log.
    async fn page(&self, read: ReadLog) -> Result<LogPage, ReadError>;
    /// Waits until there is a readable event with a greater sequence number than `through`.
    async fn grown_past(&self, through: Sequence) -> Result<(), ReadError>;
    /// Waits until there is such an event that `filter` accepts. It may return without one, but must not wait once
    /// there is one.
    ///
    /// An adapter with many subscribers looks at each event once for all of them; the default looks for one
    /// subscriber.
    async fn wanted_past(&self, through: Sequence, filter: &Filter) -> Result<(), ReadError> {
        let mut read = ReadLog::filtered(through.next(), filter.clone());
        loop {
            self.grown_past(read.from.previous()).await?;
            let page = self.page(read.clone()).await?;
            if !page.events.is_empty() {
                return Ok(());
            }
            read.from = read.from.max(page.through.next());
        }
    }
}

struct Follower {
    source: Arc<dyn Follow>,
    filter: Filter,
    /// Where to read on.
    from: Sequence,
    progress: ProgressPace,
}

impl Follower {
    async fn next(&mut self) -> Result<Delivery, ReadError> {
        loop {
            let page = self.source.page(ReadLog::filtered(self.from, self.filter.clone())).await?;
            let has_moved = page.through >= self.from;
            self.from = self.from.max(page.through.next());
            if !page.events.is_empty() || self.progress.is_due(page.through) {
                self.progress.tell(page.through);
                return Ok(page.into());
            }
            if page.is_last() || !has_moved {
                self.wait().await?;
            }
        }
    }

    /// Waits until there is something to deliver: an event, or progress that is due. What is skipped until then wakes
    /// nobody.
    async fn wait(&self) -> Result<(), ReadError> {
        let through = self.from.previous();
        if self.filter.is_all() {
            return self.source.grown_past(through).await;
        }
        let wanted = self.source.wanted_past(through, &self.filter);
        match self.progress.until_due(wanted).await {
            Some(ended) => ended,
            None if self.progress.is_due(through) => Ok(()),
            None => self.source.wanted_past(through, &Filter::all()).await,
        }
    }
}
