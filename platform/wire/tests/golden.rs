//! Fixed bytes: what is on the wire today must be understood and produced by every later release of `annals.v1`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{
    Append, Conflict, CorrelationId, EventBatchBuilder, EventId, EventType, ExpectedVersion, MarkName,
    Metadata, NewEvent, Opening, RequestId, Sequence, StreamName, Tag, Timestamp, TraceContext, Version,
};
use annals_wire::{status, v1};
use prost::Message;
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.trim();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn event() -> NewEvent {
    let trace = TraceContext { trace_id: [0xaa; 16], span_id: [0xbb; 8], flags: 1, state: "v=1".into() };
    let metadata = Metadata {
        correlation_id: Some(CorrelationId::from_bytes([2; 16])),
        causation_id: Some(EventId::from_bytes([3; 16])),
        trace: Some(trace),
        tenant: Some("t".into()),
        actor: Some(String::new()),
        subject_key: None,
        headers: [("k".to_owned(), "v".to_owned())].into(),
    };
    NewEvent {
        id: EventId::from_bytes([1; 16]),
        schema_version: 2,
        metadata,
        tags: vec![Tag::new("a:b").unwrap()],
        ..NewEvent::json(EventType::new("order.placed").unwrap(), "{}")
    }
}

fn stream() -> StreamName {
    StreamName::new("order-1").unwrap()
}

#[test]
fn an_append_has_these_bytes() {
    let append = Append::with_request_id(RequestId::from_bytes([9; 16]))
        .write(stream(), ExpectedVersion::NoStream, vec![event()])
        .require(StreamName::new("customer-7").unwrap(), ExpectedVersion::Exact(Version::new(5)))
        .set_mark(MarkName::new("m").unwrap(), None, Sequence::new(300))
        .only_in(Opening::from_bytes([10; 16]));
    let golden = include_str!("golden/append.hex").trim();
    assert_eq!(hex(&v1::AppendRequest::from(append.clone()).encode_to_vec()), golden);
    let read = v1::AppendRequest::decode(unhex(golden).as_slice()).unwrap();
    assert_eq!(Append::try_from(read).unwrap(), append);
}

#[test]
fn a_recorded_event_has_these_bytes() {
    let mut builder = EventBatchBuilder::default();
    let (sequence, version, at) = (Sequence::new(1_000), Version::new(7), Timestamp::from_micros(1_700_000));
    builder.push_new(&stream(), &event(), sequence, version, at).unwrap();
    let batch = builder.build().unwrap();
    let message = v1::RecordedEvent::try_from(batch.first().unwrap()).unwrap();
    assert_eq!(hex(&message.encode_to_vec()), include_str!("golden/recorded_event.hex").trim());
}

#[test]
fn a_conflict_has_these_details() {
    let expected = ExpectedVersion::Exact(Version::new(2));
    let conflict = Conflict::Stream { stream: stream(), expected, actual: Version::new(3) };
    let status = status::of_append_error(&conflict.into());
    assert_eq!(hex(status.details()), include_str!("golden/conflict.hex").trim());
}
