//! The spans of a reaction, and the trace context of its outputs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_event::TraceContext;
use annals_store::{EventStore, GappedStore};
use common::{append_all, charges, order, run_until, worker};
use opentelemetry::trace::{SpanId, SpanKind, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::sync::Arc;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, registry};

const CREATED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn named<'s>(spans: &'s [SpanData], name: &str) -> Vec<&'s SpanData> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test]
async fn outputs_carry_their_producer_span_and_consumer_spans_link_to_sources() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _traced = tracing::subscriber::set_default(registry().with(LevelFilter::INFO).with(layer));

    let source: TraceContext = CREATED.parse().unwrap();
    let mut placed = order(1, "ada", 5);
    placed.writes[0].events[0].metadata.trace = Some(source.clone());
    let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let through = append_all(&*store, [placed, order(2, "bob", 5)]).await;
    run_until(worker(store.clone(), 10), through).await;
    let spans = exporter.get_finished_spans().unwrap();

    let [batch] = named(&spans, "batch charge-orders")[..] else { panic!("one batch: {spans:#?}") };
    assert_eq!(batch.parent_span_id, SpanId::INVALID);
    assert_ne!(batch.span_context.trace_id().to_bytes(), source.trace_id, "a trace of its own");

    let handled = named(&spans, "process order");
    assert_eq!(handled.len(), 2);
    assert!(handled.iter().all(|span| span.span_kind == SpanKind::Consumer));
    assert!(handled.iter().all(|span| span.parent_span_id == batch.span_context.span_id()));
    let links: Vec<_> = handled.iter().flat_map(|span| span.links.iter()).collect();
    assert_eq!(links.len(), 1, "only one source has a context");
    assert_eq!(links[0].span_context.trace_id().to_bytes(), source.trace_id);
    assert_eq!(links[0].span_context.span_id().to_bytes(), source.span_id);

    let created = named(&spans, "create account");
    assert!(created.iter().all(|span| span.span_kind == SpanKind::Producer));
    assert!(
        created.iter().all(|span| handled.iter().any(|h| h.span_context.span_id() == span.parent_span_id))
    );
    let outputs = charges(&*store).await;
    assert_eq!((outputs.len(), created.len()), (4, 4));
    for output in outputs {
        let context = output.metadata.trace.unwrap();
        let made = |span: &&&SpanData| span.span_context.span_id().to_bytes() == context.span_id;
        assert_eq!(created.iter().filter(made).count(), 1, "{context:?}");
    }
}
