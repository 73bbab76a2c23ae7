//! The spans of events, after the semantic conventions for messaging: name `{operation} {destination}`, kind
//! PRODUCER where an event is made, CONSUMER where one is handled. The destination is the stream's category, which,
//! unlike the stream, has few values.

use crate::{context::to_span_context, names};
use annals_event::{Event, EventId, EventRef, Recorded, RecordedEvent, Sequence, TraceContext};
use opentelemetry::{Context, trace::TraceContextExt};
use tracing::{Span, debug_span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// What a span says about the event that it handles.
pub trait Traced {
    /// The event's id.
    fn id(&self) -> EventId;
    /// Its type.
    fn event_type(&self) -> &str;
    /// Its stream.
    fn stream(&self) -> &str;
    /// Its place in the log.
    fn sequence(&self) -> Sequence;
    /// The context in which it was made.
    fn trace(&self) -> Option<TraceContext>;
}

/// Whether a consumer handles events as they come, or again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// For the first time. Events' spans are at level `INFO`.
    Live,
    /// In a replay or another fold of the past. Events' spans are at level `DEBUG`.
    Replay,
}

/// What a batch did, for [`record_batch`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// Events that the batch handled.
    pub events: usize,
    /// Events, or rows, that it wrote.
    pub outputs: usize,
    /// The last sequence number that it covers.
    pub through: Sequence,
}

/// PRODUCER: events are appended to streams of the category `destination`. Its context belongs in each of them.
pub fn append_span(destination: &str) -> Span {
    info_span!(
        "append",
        otel.name = format!("{} {destination}", names::APPEND),
        otel.kind = "producer",
        otel.status_code = Empty,
        { names::MESSAGING_SYSTEM } = names::SYSTEM,
        { names::MESSAGING_OPERATION_NAME } = names::APPEND,
        { names::MESSAGING_OPERATION_TYPE } = "send",
        { names::MESSAGING_DESTINATION_NAME } = destination,
    )
}

/// PRODUCER: events are made for the category `destination`, to be appended together with those of other spans. Its
/// context belongs in each of them.
pub fn create_span(destination: &str) -> Span {
    info_span!(
        "create",
        otel.name = format!("{} {destination}", names::CREATE),
        otel.kind = "producer",
        { names::MESSAGING_SYSTEM } = names::SYSTEM,
        { names::MESSAGING_OPERATION_NAME } = names::CREATE,
        { names::MESSAGING_OPERATION_TYPE } = "create",
        { names::MESSAGING_DESTINATION_NAME } = destination,
    )
}

/// The root span of a batch of `consumer`. [`record_batch`] adds what the batch did.
pub fn batch_span(consumer: &str, run: Run) -> Span {
    info_span!(
        parent: None,
        "batch",
        otel.name = format!("batch {consumer}"),
        otel.status_code = Empty,
        { names::MESSAGING_SYSTEM } = names::SYSTEM,
        { names::MESSAGING_CONSUMER_GROUP_NAME } = consumer,
        { names::MESSAGING_BATCH_MESSAGE_COUNT } = Empty,
        { names::BATCH_OUTPUTS } = Empty,
        { names::THROUGH } = Empty,
        { names::REPLAY } = (run == Run::Replay),
    )
}

/// Records on a [`batch_span`] what the batch did.
pub fn record_batch(batch: &Span, counts: BatchCounts) {
    batch.record(names::MESSAGING_BATCH_MESSAGE_COUNT, number(counts.events));
    batch.record(names::BATCH_OUTPUTS, number(counts.outputs));
    batch.record(names::THROUGH, number(counts.through.get()));
}

/// The only integer type of OpenTelemetry; every other one would be exported as text.
fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// CONSUMER: `consumer` handles `event`. Call it inside the batch's span. Links to the context in which the event was
/// made.
///
/// It costs next to nothing if the span would go nowhere. When the batch's span is not sampled, or in a replay unless
/// the span filter lets `DEBUG` through, the span is disabled and the event's metadata is not decoded.
pub fn process_span(consumer: &str, event: &impl Traced, run: Run) -> Span {
    if !batch_is_recorded() {
        return Span::none();
    }
    let span = match run {
        Run::Live => live_process_span(consumer, event),
        Run::Replay => replay_process_span(consumer, event),
    };
    if !span.is_disabled()
        && let Some(created) = event.trace()
    {
        span.add_link(to_span_context(&created));
    }
    span
}

/// Whether a child of the current span would be recorded. Without a current span, the filters decide.
fn batch_is_recorded() -> bool {
    let context = Context::current();
    let span = context.span();
    !span.span_context().is_valid() || span.span_context().is_sampled()
}

macro_rules! process_span {
    ($span:ident, $consumer:expr, $event:expr, $replay:expr) => {
        $span!(
            "process",
            otel.name = format!("{} {}", names::PROCESS, category($event.stream())),
            otel.kind = "consumer",
            otel.status_code = Empty,
            { names::MESSAGING_SYSTEM } = names::SYSTEM,
            { names::MESSAGING_OPERATION_NAME } = names::PROCESS,
            { names::MESSAGING_OPERATION_TYPE } = "process",
            { names::MESSAGING_DESTINATION_NAME } = category($event.stream()),
            { names::MESSAGING_CONSUMER_GROUP_NAME } = $consumer,
            { names::MESSAGING_MESSAGE_ID } = %$event.id(),
            { names::EVENT_TYPE } = $event.event_type(),
            { names::STREAM } = $event.stream(),
            { names::SEQUENCE } = number($event.sequence().get()),
            { names::REPLAY } = $replay,
        )
    };
}

fn live_process_span(consumer: &str, event: &impl Traced) -> Span {
    process_span!(info_span, consumer, event, false)
}

fn replay_process_span(consumer: &str, event: &impl Traced) -> Span {
    process_span!(debug_span, consumer, event, true)
}

fn category(stream: &str) -> &str {
    stream.split_once('-').map_or(stream, |(category, _)| category)
}

impl Traced for EventRef<'_> {
    fn id(&self) -> EventId {
        EventRef::id(self)
    }
    fn event_type(&self) -> &str {
        EventRef::event_type(self)
    }
    fn stream(&self) -> &str {
        EventRef::stream(self)
    }
    fn sequence(&self) -> Sequence {
        EventRef::sequence(self)
    }
    fn trace(&self) -> Option<TraceContext> {
        self.metadata().ok()?.trace
    }
}

impl Traced for RecordedEvent {
    fn id(&self) -> EventId {
        self.event.id
    }
    fn event_type(&self) -> &str {
        self.event.event_type.as_str()
    }
    fn stream(&self) -> &str {
        self.stream.as_str()
    }
    fn sequence(&self) -> Sequence {
        self.sequence
    }
    fn trace(&self) -> Option<TraceContext> {
        self.event.metadata.trace.clone()
    }
}

impl<E: Event> Traced for Recorded<E> {
    fn id(&self) -> EventId {
        self.id
    }
    fn event_type(&self) -> &str {
        self.event.event_type()
    }
    fn stream(&self) -> &str {
        self.stream.as_str()
    }
    fn sequence(&self) -> Sequence {
        self.sequence
    }
    fn trace(&self) -> Option<TraceContext> {
        self.metadata.trace.clone()
    }
}
