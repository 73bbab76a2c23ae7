//! A trace continues across the network.

use crate::support::{Server, one_event};
use annals_event::{Append, Receipt, TraceContext};
use annals_store::{AppendError, EventStore, GappedStore, Layer};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use tracing::{Instrument, info_span};

/// Notes the trace context of each append.
#[derive(Clone)]
struct Noting(GappedStore, Arc<Mutex<Option<TraceContext>>>);

#[async_trait]
impl Layer for Noting {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        *self.1.lock().unwrap() = annals_telemetry::current_context();
        self.0.append(append).await
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
