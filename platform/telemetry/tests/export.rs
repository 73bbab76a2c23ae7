//! Spans as a collector gets them: over OTLP, from a real receiver on loopback. One test, because telemetry is set
//! up once a process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{
    ContentType, EventBatch, EventBatchBuilder, EventId, EventType, Metadata, NewEvent, Sequence, StreamName,
    Timestamp, TraceContext, Version,
};
use annals_telemetry::{
    BatchCounts, InitError, Options, Run, append_span, batch_span, context_of, current_context, init,
    inject_current, process_span, record_batch, record_rpc_status, record_status, rpc_client_span,
    rpc_server_span, server_span,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans;
        let scopes = resources.into_iter().flat_map(|resource| resource.scope_spans);
        self.0.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(TraceServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        format!("http://{address}")
    }
    fn span(&self, name: &str) -> Span {
        let spans = self.0.lock().unwrap();
        let mut found = spans.iter().filter(|span| span.name == name);
        let span = found.next().unwrap_or_else(|| panic!("no span {name:?} in {spans:#?}")).clone();
        assert!(found.next().is_none(), "two spans {name:?}");
        span
    }
    fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap().iter().any(|span| span.name == name)
    }
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.clone()?.value
}
fn text(text: &str) -> Option<Value> {
    Some(Value::StringValue(text.to_owned()))
}

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn recorded(sequence: u64, trace: Option<TraceContext>) -> EventBatch {
    let event = NewEvent {
        id: EventId::from_name("placed"),
        event_type: EventType::new("order.placed").unwrap(),
        schema_version: 1,
        content_type: ContentType::JSON,
        payload: "{}".into(),
        metadata: Metadata { trace, ..Metadata::default() },
        tags: vec![],
    };
    let stream = StreamName::of("order", "1001").unwrap();
    let mut batch = EventBatchBuilder::default();
    let at = Timestamp::from_micros(1);
    batch.push_new(&stream, &event, Sequence::new(sequence), Version::FIRST, at).unwrap();
    batch.build().unwrap()
}

/// The caller's request appends an event; returns the context that is stored in it.
fn request() -> TraceContext {
    let request = server_span("POST", "/orders", |name| (name == "traceparent").then_some(CALLER));
    let stored = request.in_scope(|| append_span("order").in_scope(current_context)).unwrap();
    record_status(&request, 201);
    stored
}

fn handle(batch: &EventBatch, run: Run) {
    let span = batch_span("payments", run);
    span.in_scope(|| {
        for event in batch.iter() {
            process_span("payments", &event, run).in_scope(|| ());
        }
    });
    let (events, through) = (batch.len(), batch.last().unwrap().sequence());
    record_batch(&span, BatchCounts { events, outputs: 2, through });
}

fn assert_calls(collector: &Collector) {
    let failed = collector.span("annals.v1.EventStore/Append");
    assert_eq!(attribute(&failed, "rpc.response.status_code"), text("DATA_LOSS"));
    assert_eq!(failed.status.unwrap().code(), StatusCode::Error);
    let answered = collector.span("annals.v1.EventStore/Head");
    assert_eq!(attribute(&answered, "rpc.response.status_code"), text("OK"));
    assert_ne!(answered.status.unwrap_or_default().code(), StatusCode::Error);
}

fn assert_process(collector: &Collector, append: &Span, batch: &Span) {
    let process = collector.span("process order");
    assert_eq!(process.kind(), SpanKind::Consumer);
    assert_eq!(process.parent_span_id, batch.span_id, "the event's span is not the parent");
    assert_eq!(process.links.len(), 1);
    assert_eq!(process.links[0].trace_id, append.trace_id);
    assert_eq!(process.links[0].span_id, append.span_id);
    assert_eq!(attribute(&process, "annals.sequence"), Some(Value::IntValue(7)));
    assert_eq!(attribute(&process, "annals.stream"), text("order-1001"));
    assert_eq!(attribute(&process, "annals.replay"), Some(Value::BoolValue(false)));
    assert_eq!(attribute(&process, "messaging.message.id"), text(&EventId::from_name("placed").to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_linked_spans_with_the_conventions_names() {
    let collector = Collector::default();
    let endpoint = collector.start().await;
    let options = Options { otlp_endpoint: Some(endpoint), ..Options::new("test") };
    let telemetry = init(options.clone()).unwrap();
    assert!(matches!(init(options), Err(InitError::AlreadyInitialised)));

    let stored = request();
    handle(&recorded(7, Some(stored.clone())), Run::Live);
    let mut headers = Vec::new();
    let outer = append_span("headers");
    outer.in_scope(|| inject_current(|name, value| headers.push((name, value.to_owned()))));
    assert_eq!(headers, [("traceparent", context_of(&outer).unwrap().traceparent())]);
    drop(outer);
    record_rpc_status(&rpc_server_span("annals.v1.EventStore/Append", |_| None::<&str>), 15);
    record_rpc_status(&rpc_client_span("annals.v1.EventStore/Head"), 0);
    telemetry.shutdown().await.unwrap();

    let caller: TraceContext = CALLER.parse().unwrap();
    let server = collector.span("POST /orders");
    assert_eq!(server.kind(), SpanKind::Server);
    assert_eq!(
        (&server.trace_id[..], &server.parent_span_id[..]),
        (&caller.trace_id[..], &caller.span_id[..])
    );
    assert_eq!(attribute(&server, "http.response.status_code"), Some(Value::IntValue(201)));

    assert_calls(&collector);
    let append = collector.span("append order");
    assert_eq!(append.kind(), SpanKind::Producer);
    assert_eq!(append.parent_span_id, server.span_id);
    assert_eq!((&append.trace_id[..], &append.span_id[..]), (&stored.trace_id[..], &stored.span_id[..]));
    assert_eq!(attribute(&append, "messaging.system"), text("annals"));
    assert_eq!(attribute(&append, "messaging.operation.name"), text("append"));

    let batch = collector.span("batch payments");
    assert_eq!(batch.parent_span_id, Vec::<u8>::new(), "a batch is a root");
    assert_ne!(batch.trace_id, append.trace_id);
    assert_eq!(attribute(&batch, "messaging.batch.message_count"), Some(Value::IntValue(1)));
    assert_eq!(attribute(&batch, "annals.batch.outputs"), Some(Value::IntValue(2)));

    assert_process(&collector, &append, &batch);
    assert!(!collector.has("process payment"));
}
