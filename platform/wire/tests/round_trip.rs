//! Every value crosses the wire and back unchanged, and every message is a value or a named error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use annals_event::{
    Append, Category, ContentType, CorrelationId, EventBatchBuilder, EventId, EventType, ExpectedVersion,
    Fingerprint, LogId, MarkName, MarkUpdate, Metadata, NewEvent, Opening, Receipt, RequestId, Requirement,
    Sequence, SequenceRange, StreamName, StreamWrite, Tag, Timestamp, TraceContext, Version, limits,
};
use annals_store::{
    Capabilities, Delivery, Direction, Filter, Head, LogPage, ReadLog, ReadStream, Subscribe,
};
use annals_wire::{InvalidMessage, event_batch, limits::REQUEST_BYTES_MAX, v1};
use proptest::{collection::vec, option, prelude::*};
use prost::Message;

fn through_bytes<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

/// Names with letters of one to four bytes.
const NAME: &str = "[a-zé漢🦀$/ -]{1,20}";
const CATEGORY: &str = "[a-zé漢🦀$/ ]{1,20}";

fn stream_name() -> impl Strategy<Value = StreamName> {
    NAME.prop_map(|name| StreamName::new(name).unwrap())
}
fn event_type() -> impl Strategy<Value = EventType> {
    NAME.prop_map(|name| EventType::new(name).unwrap())
}
fn mark_name() -> impl Strategy<Value = MarkName> {
    NAME.prop_map(|name| MarkName::new(name).unwrap())
}
fn sequence() -> impl Strategy<Value = Sequence> {
    any::<u64>().prop_map(Sequence::new)
}
fn version() -> impl Strategy<Value = Version> {
    any::<u64>().prop_map(Version::new)
}
fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}
fn event_id() -> impl Strategy<Value = EventId> {
    any::<[u8; 16]>().prop_map(EventId::from_bytes)
}
fn content_type() -> impl Strategy<Value = ContentType> {
    prop_oneof![
        Just(ContentType::JSON),
        Just(ContentType::BYTES),
        "[a-z]{1,8}/[a-z]{1,8}".prop_map(|text| ContentType::new(text).unwrap())
    ]
}
fn expected_version() -> impl Strategy<Value = ExpectedVersion> {
    prop_oneof![
        Just(ExpectedVersion::Any),
        Just(ExpectedVersion::NoStream),
        Just(ExpectedVersion::Exists),
        version().prop_map(ExpectedVersion::Exact)
    ]
}
prop_compose! {
    fn trace()(trace_id: [u8; 16], span_id: [u8; 8], flags: u8, state in "([a-z]{1,5}=[a-z]{1,5})?") -> TraceContext {
        TraceContext { trace_id, span_id, flags, state }
    }
}
prop_compose! {
    fn metadata()(
        correlation in option::of(any::<[u8; 16]>()),
        causation_id in option::of(event_id()),
        trace in option::of(trace()),
        (tenant, actor, subject_key) in (option::of(".{0,8}"), option::of(".{0,8}"), option::of(".{0,8}")),
        headers in proptest::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
    ) -> Metadata {
        let correlation_id = correlation.map(CorrelationId::from_bytes);
        Metadata { correlation_id, causation_id, trace, tenant, actor, subject_key, headers }
    }
}
prop_compose! {
    fn new_event()(
        id in event_id(),
        event_type in event_type(),
        schema_version: u32,
        content_type in content_type(),
        payload in vec(any::<u8>(), 0..64),
        metadata in metadata(),
        tags in vec("[a-z]{1,4}:[a-z:]{1,4}", 0..4),
    ) -> NewEvent {
        let tags = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
        NewEvent { id, event_type, schema_version, content_type, payload: payload.into(), metadata, tags }
    }
}
prop_compose! {
    fn write()(
        stream in stream_name(), expected in expected_version(), events in vec(new_event(), 0..4)
    ) -> StreamWrite {
        StreamWrite { stream, expected, events }
    }
}
prop_compose! {
    fn append()(
        request_id in any::<[u8; 16]>().prop_map(RequestId::from_bytes),
        writes in vec(write(), 0..3),
        requires in vec((stream_name(), expected_version()), 0..3),
        marks in vec((mark_name(), option::of(sequence()), sequence()), 0..3),
        opening in option::of(any::<[u8; 16]>().prop_map(Opening::from_bytes)),
    ) -> Append {
        let requires = requires.into_iter().map(|(stream, expected)| Requirement { stream, expected });
        let marks = marks.into_iter().map(|(mark, expected, value)| MarkUpdate { mark, expected, value });
        Append { request_id, writes, requires: requires.collect(), marks: marks.collect(), opening }
    }
}
prop_compose! {
    fn filter()(
        categories in vec(CATEGORY, 0..3), stream in option::of(stream_name()), event_types in vec(event_type(), 0..3)
    ) -> Filter {
        let categories = categories.iter().map(|name| Category::new(name).unwrap()).collect();
        Filter { categories, stream, event_types }
    }
}

proptest! {
    #[test]
    fn an_append_comes_back_the_same(append in append()) {
        let message = v1::AppendRequest::from(append.clone());
        prop_assert_eq!(Append::try_from(through_bytes(&message)).unwrap(), append);
    }

    #[test]
    fn recorded_events_come_back_as_the_same_records(
        events in vec((stream_name(), new_event(), sequence(), version(), timestamp()), 0..5)
    ) {
        let mut builder = EventBatchBuilder::default();
        for (stream, event, sequence, version, recorded_at) in &events {
            builder.push_new(stream, event, *sequence, *version, *recorded_at).unwrap();
        }
        let batch = builder.build().unwrap();
        let messages = batch.iter().map(v1::RecordedEvent::try_from).collect::<Result<Vec<_>, _>>().unwrap();
        let page = v1::ReadLogResponse { events: messages, through: 7, head: 9 };
        let page = LogPage::try_from(through_bytes(&page)).unwrap();
        prop_assert_eq!(page, LogPage { events: batch, through: Sequence::new(7), head: Sequence::new(9) });
    }

    #[test]
    fn a_receipt_comes_back_the_same(
        events in option::of((sequence(), sequence())),
        versions in vec(version(), 0..4),
        head in sequence(),
        recorded_at in timestamp(),
        repeated: bool,
    ) {
        let events = events.map(|(first, last)| SequenceRange { first, last });
        let receipt = Receipt { events, versions, head, recorded_at, repeated };
        let message = v1::AppendResponse::from(receipt.clone());
        prop_assert_eq!(Receipt::from(through_bytes(&message)), receipt);
    }

    #[test]
    fn requests_to_read_come_back_the_same(
        stream in stream_name(), version in version(), from in sequence(), filter in filter(),
        backward: bool, events_max in 1..=u32::MAX, bytes_max in 1..=u32::MAX,
    ) {
        let (events_max, bytes_max) = (events_max as usize, bytes_max as usize);
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let read = ReadStream { stream, from: version, direction, events_max };
        let message = through_bytes(&v1::ReadStreamRequest::from(read.clone()));
        prop_assert_eq!(ReadStream::try_from(message).unwrap(), read);
        let read = ReadLog { from, filter: filter.clone(), events_max, bytes_max };
        let message = through_bytes(&v1::ReadLogRequest::from(read.clone()));
        prop_assert_eq!(ReadLog::try_from(message).unwrap(), read);
        let subscribe = Subscribe { from, filter };
        let message = through_bytes(&v1::SubscribeRequest::from(subscribe.clone()));
        prop_assert_eq!(Subscribe::try_from(message).unwrap(), subscribe);
    }

    #[test]
    fn head_and_capabilities_come_back_the_same(
        id: [u8; 16], opening: [u8; 16], first in sequence(), last in sequence(), name in NAME, durable: bool, dense: bool
    ) {
        let (log_id, opening) = (LogId::from_bytes(id), Opening::from_bytes(opening));
        let head = Head { log_id, first, last, opening };
        prop_assert_eq!(Head::try_from(through_bytes(&v1::HeadResponse::from(head))).unwrap(), head);
        let fingerprint = Fingerprint { log_id, sequence: last, chain: id, opening };
        let message = v1::Fingerprint::from(fingerprint);
        prop_assert_eq!(Fingerprint::try_from(through_bytes(&message)).unwrap(), fingerprint);
        let mut capabilities = Capabilities::of(name);
        (capabilities.durable, capabilities.dense) = (durable, dense);
        let message = v1::GetCapabilitiesResponse::from(capabilities.clone());
        prop_assert_eq!(Capabilities::from(through_bytes(&message)), capabilities);
    }

    /// Bytes that decode at all are a valid value or a named error, never a panic.
    #[test]
    fn bad_bytes_are_refused_without_a_panic(append in append(), at: prop::sample::Index, byte: u8) {
        let mut bytes = v1::AppendRequest::from(append).encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(message) = v1::AppendRequest::decode(bytes.as_slice()) {
            let _ = Append::try_from(message);
        }
    }
}

#[test]
fn the_largest_legal_append_fits_into_a_request() {
    let mut append = Append::new();
    let headers = (0..2_000).map(|n| (format!("{n:03x}"), String::new())).collect();
    let metadata = Metadata { headers, ..Metadata::default() };
    let event =
        || NewEvent { metadata: metadata.clone(), ..NewEvent::json(EventType::new("t").unwrap(), "") };
    let fitting = limits::APPEND_BYTES_MAX / annals_event::record::encoded_len(&stream("s"), &event());
    append = append.write(stream("s"), ExpectedVersion::Any, (0..fitting).map(|_| event()).collect());
    for n in 1..limits::APPEND_STREAMS_MAX {
        append = append.require(stream(&format!("{n:0>255}")), ExpectedVersion::Exact(Version::MAX));
    }
    for n in 0..limits::APPEND_MARKS_MAX {
        let mark = MarkName::new(format!("{n:0>255}")).unwrap();
        append = append.set_mark(mark, Some(Sequence::MAX), Sequence::MAX);
    }
    append.validate().unwrap();
    assert!(v1::AppendRequest::from(append).encoded_len() <= REQUEST_BYTES_MAX);
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

#[test]
fn an_invalid_message_names_its_field() {
    let event = || v1::NewEvent::from(NewEvent::json(EventType::new("t").unwrap(), "{}"));
    let error = |event: v1::NewEvent| NewEvent::try_from(event).unwrap_err().to_string();
    let short = v1::NewEvent { id: vec![1, 2].into(), ..event() };
    assert_eq!(error(short), "field `NewEvent.id` has 2 bytes; it must have 16");
    let unnamed = v1::NewEvent { r#type: String::new(), ..event() };
    assert_eq!(error(unnamed), "field `NewEvent.type`: event type is empty; give it at least one character");
    let missing = v1::RecordedEvent { stream: "s".into(), ..Default::default() };
    assert_eq!(event_batch(vec![missing]), Err(InvalidMessage::Missing { field: "RecordedEvent.event" }));
    let flags = v1::TraceContext {
        trace_id: vec![1; 16].into(),
        span_id: vec![1; 8].into(),
        flags: 256,
        state: "".into(),
    };
    assert_eq!(
        TraceContext::try_from(flags),
        Err(InvalidMessage::OutOfRange { field: "TraceContext.flags", value: 256 })
    );
}

#[test]
fn a_tracestate_that_is_none_is_as_good_as_absent_in_an_append() {
    let stored = |state: &str| {
        let trace = v1::TraceContext {
            trace_id: vec![1; 16].into(),
            span_id: vec![1; 8].into(),
            flags: 1,
            state: state.into(),
        };
        let metadata = v1::Metadata { trace: Some(trace), ..Default::default() };
        let event = v1::NewEvent::from(NewEvent::json(EventType::new("t").unwrap(), "{}"));
        let event = v1::NewEvent { metadata: Some(metadata), ..event };
        let expected = Some(ExpectedVersion::Any.into());
        let write = v1::StreamWrite { stream: "s".into(), expected, events: vec![event] };
        StreamWrite::try_from(write).unwrap().events[0].metadata.trace.clone().unwrap().state
    };
    assert_eq!(stored("a=1, b=2"), "a=1,b=2");
    assert_eq!(stored("a=1,=,b=2"), "");
    assert_eq!(stored(&["a=1"; 33].join(",")), "");
}

#[test]
fn an_expected_version_must_be_said() {
    let unset = v1::ExpectedVersion { kind: None };
    let unset = ExpectedVersion::try_from(unset);
    assert_eq!(unset, Err(InvalidMessage::Missing { field: "ExpectedVersion.kind" }));
    let unspecified = v1::ExpectedVersion { kind: Some(v1::expected_version::Kind::State(0)) };
    assert!(matches!(ExpectedVersion::try_from(unspecified), Err(InvalidMessage::OutOfRange { .. })));
}

#[test]
fn a_filter_of_too_many_names_is_refused() {
    let filter = v1::Filter { categories: vec!["order".into(), "gift-card".into()], ..Default::default() };
    let refused = Filter::try_from(filter).unwrap_err().to_string();
    assert!(refused.starts_with("field `Filter.categories`: category \"gift-card\" has a `-`"), "{refused}");
    let filter = v1::Filter { event_types: vec!["t".into(); 1_001], ..Default::default() };
    let refused = InvalidMessage::TooMany { field: "Filter.event_types", count: 1_001, max: 1_000 };
    assert_eq!(Filter::try_from(filter), Err(refused));
}

#[test]
fn a_request_that_names_no_limits_gets_the_defaults() {
    let read = ReadLog::try_from(v1::ReadLogRequest::default()).unwrap();
    assert_eq!(read, ReadLog::from(Sequence::ZERO));
}

#[test]
fn a_delivery_with_nothing_but_progress_comes_back_the_same() {
    let message = v1::SubscribeResponse { events: Vec::new(), through: 5, head: 6 };
    let delivery = Delivery::try_from(message).unwrap();
    assert!(delivery.events.is_empty() && !delivery.is_caught_up());
}
