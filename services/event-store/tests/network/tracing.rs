//! A trace goes on through the network.

use crate::support::{Server, one_event};
use annals_event::{Append, MarkName, Receipt, Sequence, Timestamp, TraceContext};
use annals_store::{
    AppendError, Capabilities, EventStore, GappedStore, Head, LogPage, ReadError, ReadLog, ReadStream,
    StreamPage, Subscribe, Subscription,
};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use tracing::{Instrument, info_span};

/// Notes the context in which it is asked to append.
#[derive(Clone)]
struct Noting(GappedStore, Arc<Mutex<Option<TraceContext>>>);

#[async_trait]
impl EventStore for Noting {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        *self.1.lock().unwrap() = annals_telemetry::current_context();
        self.0.append(append).await
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.0.read_stream(read).await
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.0.read_log(read).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        self.0.subscribe(subscribe).await
    }
    async fn head(&self) -> Result<Head, ReadError> {
        self.0.head().await
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        self.0.mark(mark).await
    }
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        self.0.sequence_at(time).await
    }
}

#[tokio::test]
async fn the_servers_store_works_in_the_callers_trace() {
    let _telemetry = annals_telemetry::init(annals_telemetry::Options::new("test")).unwrap();
    let noting = Noting(GappedStore::new(), Arc::default());
    let server = Server::start(Arc::new(noting.clone())).await;
    let client = server.client().await;
    let span = info_span!("request");
    let context = annals_telemetry::context_of(&span).unwrap();
    client.append(one_event("a")).instrument(span).await.unwrap();
    let there = noting.1.lock().unwrap().clone().unwrap();
    assert_eq!(there.trace_id, context.trace_id);
    assert_ne!(there.span_id, context.span_id);
}
