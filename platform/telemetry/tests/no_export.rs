//! Telemetry without an exporter: every span still has its ids. One test, because telemetry is set up once a
//! process.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use annals_event::{EventId, Sequence, TraceContext};
use annals_telemetry::{
    Options, Run, Traced, append_span, batch_span, context_of, create_span, current_context, init,
    process_span, server_span,
};

/// An event whose context must not be asked for.
struct Unasked;

impl Traced for Unasked {
    fn id(&self) -> EventId {
        EventId::from_name("unasked")
    }
    fn event_type(&self) -> &str {
        "order.placed"
    }
    fn stream(&self) -> &str {
        "order-1"
    }
    fn sequence(&self) -> Sequence {
        Sequence::FIRST
    }
    fn trace(&self) -> Option<TraceContext> {
        panic!("the event's metadata was decoded for a span that goes nowhere")
    }
}

#[tokio::test]
async fn without_an_exporter_events_still_get_a_context() {
    let telemetry = init(Options::new("test")).unwrap();
    assert_eq!(current_context(), None, "no span is entered");

    let append = append_span("order");
    let stored = append.in_scope(current_context).unwrap();
    assert!(!stored.is_sampled());
    assert_eq!(stored.state, "");
    let again = append_span("order").in_scope(current_context).unwrap();
    assert_ne!((again.trace_id, again.span_id), (stored.trace_id, stored.span_id));

    let batch = batch_span("payments", Run::Live);
    let (of_batch, created) = batch.in_scope(|| {
        assert!(process_span("payments", &Unasked, Run::Live).is_disabled());
        (current_context().unwrap(), create_span("payment").in_scope(current_context).unwrap())
    });
    assert_eq!(created.trace_id, of_batch.trace_id);
    assert_ne!(created.span_id, of_batch.span_id, "each output has a span of its own");

    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = server_span("GET", "/orders/{id}", |name| (name == "traceparent").then_some(caller));
    let context = context_of(&request).unwrap();
    assert_eq!(context.trace_id, caller.parse::<TraceContext>().unwrap().trace_id);
    assert!(context.is_sampled(), "the caller's word is passed on");
    telemetry.shutdown().await.unwrap();
}
