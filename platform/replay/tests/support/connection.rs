//! A connection to a log, behind which another history of it can be put, as when its server comes back with a backup.

use annals_event::{Append, Fingerprint, MarkName, Receipt, Sequence, Timestamp};
use annals_store::{
    AppendError, Capabilities, Delivery, EventStore, Head, LogPage, ReadError, ReadLog, ReadStream,
    StreamPage, Subscribe, Subscription,
};
use annals_store_log::LogStore;
use async_trait::async_trait;
use futures::stream;
use tokio::sync::watch;

pub struct Connection(watch::Sender<LogStore>);

impl Connection {
    pub fn to(log: LogStore) -> Self {
        Self(watch::Sender::new(log))
    }

    /// From now on the connection leads to `log`.
    pub fn lead_to(&self, log: LogStore) {
        self.0.send_replace(log);
    }

    fn log(&self) -> LogStore {
        self.0.borrow().clone()
    }
}

#[async_trait]
impl EventStore for Connection {
    fn capabilities(&self) -> Capabilities {
        self.log().capabilities()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.log().append(append).await
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.log().read_stream(read).await
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.log().read_log(read).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let mut log = self.0.subscribe();
        let subscription = self.log().subscribe(subscribe.clone()).await?;
        log.mark_unchanged();
        let begun = (subscription, log, subscribe);
        Ok(Subscription::new(stream::unfold(begun, async |(mut subscription, mut log, subscribe)| {
            let delivery = tokio::select! {
                biased;
                _ = log.changed() => {
                    let through = subscribe.from.previous();
                    let found = log.borrow_and_update().clone();
                    let head = found.head().await.unwrap().last;
                    Ok(Delivery { events: Default::default(), through, head, resumed: true })
                }
                delivery = subscription.next() => delivery,
            };
            Some((delivery, (subscription, log, subscribe)))
        })))
    }
    async fn head(&self) -> Result<Head, ReadError> {
        self.log().head().await
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        self.log().mark(mark).await
    }
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        self.log().sequence_at(time).await
    }
    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        self.log().fingerprint(at).await
    }
}
