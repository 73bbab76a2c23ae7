//! Stores that go through another one and change something on the way: they count, delay, refuse or replace.

use crate::{
    AppendError, Capabilities, Damage, Delivery, EventStore, Head, LogPage, ReadError, ReadLog, ReadStream,
    StreamPage, Subscribe, Subscription,
};
use annals_event::{Append, EventBatch, Fingerprint, MarkName, Receipt, Sequence, Timestamp};
use async_trait::async_trait;
use futures::stream;
use std::sync::Arc;
use tokio::sync::watch;

/// An [`EventStore`] over another one. Apart from the first, its methods are those of that trait, and by default they
/// ask the store below.
#[expect(missing_docs, reason = "they stand at the methods of EventStore")]
#[async_trait]
pub trait Layer: Send + Sync + 'static {
    /// The store below, as it is now.
    fn below(&self) -> Arc<dyn EventStore>;

    fn capabilities(&self) -> Capabilities {
        self.below().capabilities()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.below().append(append).await
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.below().read_stream(read).await
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.below().read_log(read).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        self.below().subscribe(subscribe).await
    }
    async fn head(&self) -> Result<Head, ReadError> {
        self.below().head().await
    }
    async fn ready(&self) -> Result<(), ReadError> {
        self.below().ready().await
    }
    fn damages(&self) -> Vec<Damage> {
        self.below().damages()
    }
    fn warnings(&self) -> Vec<String> {
        self.below().warnings()
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        self.below().mark(mark).await
    }
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        self.below().sequence_at(time).await
    }
    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        self.below().fingerprint(at).await
    }
}

#[async_trait]
impl<L: Layer> EventStore for L {
    fn capabilities(&self) -> Capabilities {
        Layer::capabilities(self)
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        Layer::append(self, append).await
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        Layer::read_stream(self, read).await
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        Layer::read_log(self, read).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        Layer::subscribe(self, subscribe).await
    }
    async fn head(&self) -> Result<Head, ReadError> {
        Layer::head(self).await
    }
    async fn ready(&self) -> Result<(), ReadError> {
        Layer::ready(self).await
    }
    fn damages(&self) -> Vec<Damage> {
        Layer::damages(self)
    }
    fn warnings(&self) -> Vec<String> {
        Layer::warnings(self)
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        Layer::mark(self, mark).await
    }
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        Layer::sequence_at(self, time).await
    }
    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        Layer::fingerprint(self, at).await
    }
}

/// A store that passes everything on to another one, which can be exchanged, as when a server comes back with another
/// history of its log: subscriptions then say that they were resumed. For tests of consumers.
#[derive(Debug)]
pub struct Rerouted<S>(watch::Sender<Arc<S>>);

impl<S: EventStore> Rerouted<S> {
    /// Passes everything on to `store`.
    pub fn to(store: S) -> Self {
        Self(watch::Sender::new(Arc::new(store)))
    }

    /// From now on passes everything on to `store`.
    pub fn lead_to(&self, store: S) {
        self.0.send_replace(Arc::new(store));
    }
}

#[async_trait]
impl<S: EventStore> Layer for Rerouted<S> {
    fn below(&self) -> Arc<dyn EventStore> {
        self.0.borrow().clone()
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let mut way = self.0.subscribe();
        let store = way.borrow_and_update().clone();
        let subscription = store.subscribe(subscribe.clone()).await?;
        let begun = (subscription, way, subscribe.from.previous());
        Ok(Subscription::new(stream::unfold(begun, async |(mut subscription, mut way, through)| {
            let delivery = tokio::select! {
                biased;
                Ok(()) = way.changed() => {
                    let store = way.borrow_and_update().clone();
                    let head = store.head().await;
                    head.map(|head| Delivery { events: EventBatch::empty(), through, head: head.last, resumed: true })
                }
                delivery = subscription.next() => delivery,
            };
            Some((delivery, (subscription, way, through)))
        })))
    }
}
