//! A log of an older release, which did not check schema versions: events with the tag have version 0.

use crate::event::WITHOUT_VERSION;
use annals_event::{EventBatch, EventBatchBuilder};
use annals_store::{
    Delivery, EventStore, Layer, LogPage, ReadError, ReadLog, ReadStream, StreamPage, Subscribe, Subscription,
};
use async_trait::async_trait;
use futures::stream;
use std::sync::Arc;

pub struct OldLog(pub Arc<dyn EventStore>);

fn old(events: EventBatch) -> EventBatch {
    let mut batch = EventBatchBuilder::default();
    for event in events.iter() {
        let mut recorded = event.to_recorded().unwrap();
        if recorded.event.metadata.headers.contains_key(WITHOUT_VERSION) {
            recorded.event.schema_version = 0;
        }
        batch.push(&recorded).unwrap();
    }
    batch.build().unwrap()
}

#[async_trait]
impl Layer for OldLog {
    fn below(&self) -> Arc<dyn EventStore> {
        self.0.clone()
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        let page = self.0.read_stream(read).await?;
        Ok(StreamPage { events: old(page.events.clone()), ..page })
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        let page = self.0.read_log(read).await?;
        Ok(LogPage { events: old(page.events.clone()), ..page })
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let subscription = self.0.subscribe(subscribe).await?;
        Ok(Subscription::new(stream::unfold(subscription, async |mut subscription| {
            let delivery = subscription.next().await;
            let delivery = delivery.map(|it| Delivery { events: old(it.events.clone()), ..it });
            Some((delivery, subscription))
        })))
    }
}
