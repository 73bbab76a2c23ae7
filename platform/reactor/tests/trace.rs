//! The trace context of outputs. One test, because telemetry is set up once a process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_store::{EventStore, GappedStore};
use common::{charges, place_orders, run_until, worker};
use std::{collections::HashSet, sync::Arc};

#[tokio::test]
async fn each_output_carries_the_context_of_a_span_of_its_own() {
    let telemetry = annals_telemetry::init(annals_telemetry::Options::new("accounts")).unwrap();
    let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let through = place_orders(&*store).await;
    run_until(worker(store.clone(), 6), through).await;
    telemetry.shutdown().await.unwrap();

    let contexts = charges(&*store).await.into_iter().map(|output| output.metadata.trace.unwrap());
    let (traces, spans): (HashSet<_>, HashSet<_>) =
        contexts.map(|context| (context.trace_id, context.span_id)).unzip();
    assert_eq!(spans.len(), 24, "a PRODUCER span an output");
    assert_eq!(traces.len(), 2, "a batch is a trace of its own");
}
