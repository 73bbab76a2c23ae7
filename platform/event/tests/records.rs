//! The stored form of an event: what goes in comes out, the bytes never change, and no bytes make it panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{
    ContentType, CorrelationId, EventBatch, EventBatchBuilder, EventId, EventType, Metadata, NewEvent,
    RecordedEvent, Sequence, StreamName, Tag, Timestamp, TraceContext, Version, record,
};
use bytes::Bytes;
use proptest::{collection, option, prelude::*};
use std::collections::BTreeMap;

fn metadata() -> impl Strategy<Value = Metadata> {
    let text = || option::of(".{0,40}");
    let trace = (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>(), ".{0,20}")
        .prop_map(|(trace_id, span_id, flags, state)| TraceContext { trace_id, span_id, flags, state });
    let headers = collection::btree_map(".{0,10}", ".{0,10}", 0..4);
    (any::<Option<[u8; 16]>>(), any::<Option<[u8; 16]>>(), option::of(trace), text(), text(), text(), headers)
        .prop_map(|(correlation, causation, trace, tenant, actor, subject_key, headers)| Metadata {
            correlation_id: correlation.map(CorrelationId::from_bytes),
            causation_id: causation.map(EventId::from_bytes),
            trace,
            tenant,
            actor,
            subject_key,
            headers,
        })
}

fn recorded() -> impl Strategy<Value = RecordedEvent> {
    let names = ("[^\\p{Cc}]{1,60}", "[^\\p{Cc}]{1,30}", option::of("[ -~]{1,20}"));
    let places = (1..u64::MAX, 1..u64::MAX, any::<i64>());
    let content = (any::<[u8; 16]>(), any::<u32>(), collection::vec(any::<u8>(), 0..300));
    let tags = collection::vec("[a-z]{1,5}:[^\\p{Cc}]{1,10}", 0..4);
    (names, places, content, metadata(), tags).prop_map(
        |(
            (stream, event_type, content_type),
            (sequence, version, at),
            (id, schema_version, payload),
            metadata,
            tags,
        )| {
            RecordedEvent {
                sequence: Sequence::new(sequence),
                stream: StreamName::new(stream).unwrap(),
                version: Version::new(version),
                recorded_at: Timestamp::from_micros(at),
                event: NewEvent {
                    id: EventId::from_bytes(id),
                    event_type: EventType::new(event_type).unwrap(),
                    schema_version,
                    content_type: content_type
                        .map_or(ContentType::JSON, |text| ContentType::new(text).unwrap()),
                    payload: payload.into(),
                    metadata,
                    tags: tags.iter().map(|tag| Tag::new(tag).unwrap()).collect(),
                },
            }
        },
    )
}

/// What decodes in full encodes to the same bytes.
fn must_be_canonical(decoded: Result<RecordedEvent, record::DecodeError>, bytes: &[u8]) {
    let Ok(decoded) = decoded else { return };
    let mut again = Vec::new();
    record::encode(&decoded.stream, &decoded.event, &mut again);
    record::set_place(&mut again, decoded.sequence, decoded.version, decoded.recorded_at);
    assert_eq!(again, bytes, "{decoded:?}");
}

fn batch(events: &[RecordedEvent]) -> EventBatch {
    let mut builder = EventBatchBuilder::default();
    events.iter().for_each(|event| builder.push(event).unwrap());
    builder.build().unwrap()
}

proptest! {
    #[test]
    fn a_batch_gives_back_the_events_that_were_put_in(events in collection::vec(recorded(), 0..6)) {
        let batch = batch(&events);
        let back: Vec<_> = batch.iter().map(|event| event.to_recorded().unwrap()).collect();
        prop_assert_eq!(&back, &events);
        let stored: Vec<u8> = batch.iter().flat_map(|event| event.as_bytes().to_vec()).collect();
        prop_assert_eq!(stored.len(), batch.size_bytes());
        let parsed = EventBatch::parse(stored.into()).unwrap();
        prop_assert_eq!(parsed, batch);
    }

    #[test]
    fn the_length_of_a_record_is_known_before_it_is_encoded(event in recorded()) {
        let mut out = Vec::new();
        record::encode(&event.stream, &event.event, &mut out);
        prop_assert_eq!(out.len(), record::encoded_len(&event.stream, &event.event));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in collection::vec(any::<u8>(), 0..400)) {
        let _ = EventBatch::parse(Bytes::from(bytes));
    }

    #[test]
    fn a_damaged_record_is_refused_or_still_readable(event in recorded(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = batch(&[event]).first().unwrap().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        if let Ok(batch) = EventBatch::parse(bytes.into()) {
            for event in batch.iter() {
                let _ = (event.stream(), event.event_type(), event.content_type(), event.payload_bytes());
                let _ = (event.metadata(), event.tags());
                must_be_canonical(event.to_recorded(), event.as_bytes());
            }
        }
    }

    #[test]
    fn a_record_that_is_cut_off_is_refused(event in recorded(), at in any::<prop::sample::Index>()) {
        let bytes = batch(&[event]).first().unwrap().as_bytes().to_vec();
        let cut = 1 + at.index(bytes.len() - 1);
        prop_assert!(EventBatch::parse(Bytes::copy_from_slice(&bytes[..cut])).is_err());
    }
}

fn golden_event() -> RecordedEvent {
    RecordedEvent {
        sequence: Sequence::new(0x0102),
        stream: StreamName::new("order-7").unwrap(),
        version: Version::new(3),
        recorded_at: Timestamp::from_micros(1_700_000_000_000_000),
        event: NewEvent {
            id: EventId::from_bytes([0xAB; 16]),
            event_type: EventType::new("placed").unwrap(),
            schema_version: 2,
            content_type: ContentType::BYTES,
            payload: Bytes::from_static(b"\x01\x02"),
            metadata: Metadata {
                correlation_id: Some(CorrelationId::from_bytes([0xC0; 16])),
                causation_id: Some(EventId::from_bytes([0xCA; 16])),
                trace: Some(TraceContext {
                    trace_id: [1; 16],
                    span_id: [2; 8],
                    flags: 1,
                    state: "a=b".into(),
                }),
                tenant: Some("t".into()),
                actor: Some("me".into()),
                subject_key: Some("k".into()),
                headers: BTreeMap::from([("x".into(), "y".into())]),
            },
            tags: vec![Tag::new("a:b").unwrap()],
        },
    }
}

#[test]
fn the_stored_bytes_never_change() {
    let stored = batch(&[golden_event()]);
    let hex: String = stored.first().unwrap().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("golden/record-v1.hex").trim());
}

#[test]
fn bytes_of_the_first_release_are_still_read() {
    let hex = include_str!("golden/record-v1.hex").trim();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let batch = EventBatch::parse(bytes.into()).unwrap();
    assert_eq!(batch.first().unwrap().to_recorded().unwrap(), golden_event());
}

#[test]
fn slices_filters_and_reversals_keep_the_right_events() {
    let events: Vec<_> =
        (1..=5).map(|n| RecordedEvent { sequence: Sequence::new(n), ..golden_event() }).collect();
    let batch = batch(&events);
    let numbers = |batch: &EventBatch| batch.iter().map(|event| event.sequence().get()).collect::<Vec<_>>();
    assert_eq!(numbers(&batch.slice(1..3)), [2, 3]);
    assert_eq!(numbers(&batch.slice(3..9)), [4, 5]);
    assert_eq!(numbers(&batch.slice(9..9)), [0; 0]);
    assert_eq!(numbers(&batch.reversed()), [5, 4, 3, 2, 1]);
    assert_eq!(numbers(&batch.filter(|event| event.sequence().get() % 2 == 0)), [2, 4]);
    assert_eq!(batch.get(1).unwrap().payload_bytes(), Bytes::from_static(b"\x01\x02"));
}

#[test]
fn a_filtered_batch_keeps_at_most_twice_the_bytes_of_its_events() {
    let events: Vec<_> =
        (1..=100).map(|n| RecordedEvent { sequence: Sequence::new(n), ..golden_event() }).collect();
    let batch = batch(&events);
    for every in 1..=120 {
        let kept = batch.filter(|event| event.sequence().get() % every == 0);
        let wanted = events.iter().filter(|event| event.sequence.get() % every == 0);
        assert!(kept.iter().map(|event| event.to_recorded().unwrap()).eq(wanted.cloned()));
        let (buffer, events) = (kept.buffer_bytes(), kept.size_bytes());
        assert!(buffer <= 2 * events, "one in {every}: {buffer} bytes for events of {events} bytes");
    }
}

#[test]
fn a_batch_of_which_half_is_kept_is_not_copied() {
    let batch = batch(&vec![golden_event(); 10]);
    let at = |batch: &EventBatch| batch.first().unwrap().as_bytes().as_ptr();
    let mut index = 0..;
    let half = batch.filter(|_| index.next().unwrap() % 2 == 0);
    assert_eq!((at(&half), half.buffer_bytes()), (at(&batch), batch.buffer_bytes()));
    assert_eq!(at(&batch.slice(0..1)), at(&batch), "a slice never is");
}

/// Other bytes for the same event, each refused, so that an event has one digest whoever sends it.
#[test]
fn a_second_form_of_the_same_event_is_refused() {
    let record = |metadata: &[u8], content_type: &str| {
        let plain = RecordedEvent {
            event: NewEvent {
                content_type: ContentType::JSON,
                metadata: Metadata::default(),
                ..golden_event().event
            },
            ..golden_event()
        };
        let bytes = batch(&[plain]).first().unwrap().as_bytes().to_vec();
        let names_end = record::HEADER_BYTES + usize::from(bytes[5]) + usize::from(bytes[6]);
        let mut other = bytes[..names_end].to_vec();
        other.extend_from_slice(content_type.as_bytes());
        other.extend_from_slice(metadata);
        other.extend_from_slice(&bytes[names_end..]);
        other[7] = u8::try_from(content_type.len()).unwrap();
        other[12..14].copy_from_slice(&u16::try_from(metadata.len()).unwrap().to_le_bytes());
        let length = u32::try_from(other.len()).unwrap();
        other[..4].copy_from_slice(&length.to_le_bytes());
        EventBatch::parse(other.into()).and_then(|batch| batch.first().unwrap().to_recorded())
    };
    record(b"", "").unwrap();
    record(b"", "text/plain").unwrap();
    let headers = |keys: [&str; 2]| {
        let mut bytes = vec![1 << 6, 2, 0];
        for key in keys {
            bytes.extend_from_slice(&[1, 0, key.as_bytes()[0], 0, 0]);
        }
        bytes
    };
    record(&headers(["a", "b"]), "").unwrap();
    for (metadata, content_type, why) in [
        (vec![], "application/json", "spelled out"),
        (vec![0], "", "empty metadata takes bytes"),
        (vec![1 << 6, 0, 0], "", "no headers"),
        (headers(["b", "a"]), "", "not in order"),
        (headers(["a", "a"]), "", "not in order"),
        (vec![1 << 7; 25], "", "later format"),
    ] {
        let refused = record(&metadata, content_type).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}
