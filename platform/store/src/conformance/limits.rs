//! Every limit: what is at it passes; what is over it is bad input, and nothing of it is written.

use super::{
    Store,
    fixture::{append, event, events, expecting, log, mark, of, stream, version},
};
use crate::AppendError;
use annals_event::{
    Append, ExpectedVersion::*, InvalidAppend, Metadata, NewEvent, Sequence, Tag, limits as max, record,
};

/// Why `append` is bad input; checks that it left no trace.
async fn invalid(store: &Store, append: Append) -> InvalidAppend {
    let before = (log(store).await, store.head().await.unwrap());
    let answer = store.append(append.clone()).await;
    assert_eq!((log(store).await, store.head().await.unwrap()), before, "bad input was written");
    for update in &append.marks {
        assert_eq!(store.mark(&update.mark).await.unwrap(), None, "bad input moved a mark");
    }
    match answer {
        Err(AppendError::Invalid(reason)) => reason,
        other => panic!("bad input was answered with {other:?}"),
    }
}

fn one(event: NewEvent) -> Append {
    Append::to(stream("a"), Any, vec![event])
}

pub async fn an_append_with_too_many_events_is_refused(store: Store) {
    let reason = invalid(&store, of("a", max::APPEND_EVENTS_MAX + 1)).await;
    assert!(matches!(reason, InvalidAppend::TooMany { what: "events", .. }), "{reason}");
    let receipt = append(&store, of("a", max::APPEND_EVENTS_MAX)).await;
    assert_eq!(receipt.versions[0].get(), u64::try_from(max::APPEND_EVENTS_MAX).unwrap());
    assert_eq!(log(&store).await.len(), max::APPEND_EVENTS_MAX);
}

pub async fn an_append_with_too_many_streams_is_refused(store: Store) {
    let to = |count: usize| {
        (0..count).fold(Append::new(), |append, index| {
            append.write(stream(&format!("s-{index}")), NoStream, events(1))
        })
    };
    let over = to(max::APPEND_STREAMS_MAX).require(stream("one more"), NoStream);
    let reason = invalid(&store, over).await;
    assert!(matches!(reason, InvalidAppend::TooMany { what: "streams", .. }), "{reason}");
    let receipt = append(&store, to(max::APPEND_STREAMS_MAX)).await;
    assert_eq!(receipt.versions.len(), max::APPEND_STREAMS_MAX);
    assert_eq!(version(&store, "s-0").await, 1);
    assert_eq!(version(&store, "s-9999").await, 1);
}

pub async fn an_append_with_too_many_marks_is_refused(store: Store) {
    let marks = |count: usize| {
        (0..count).fold(Append::new(), |append, index| {
            append.set_mark(mark(&format!("m-{index}")), None, Sequence::FIRST)
        })
    };
    let reason = invalid(&store, marks(max::APPEND_MARKS_MAX + 1)).await;
    assert!(matches!(reason, InvalidAppend::TooMany { what: "marks", .. }), "{reason}");
    append(&store, marks(max::APPEND_MARKS_MAX)).await;
    assert_eq!(store.mark(&mark("m-99")).await.unwrap(), Some(Sequence::FIRST));
}

pub async fn a_payload_that_is_too_large_is_refused(store: Store) {
    let of = |bytes| one(NewEvent { payload: vec![b' '; bytes].into(), ..event() });
    let reason = invalid(&store, of(max::PAYLOAD_BYTES_MAX + 1)).await;
    assert!(matches!(reason, InvalidAppend::TooLarge { what: "payload", .. }), "{reason}");
    append(&store, of(max::PAYLOAD_BYTES_MAX)).await;
}

pub async fn metadata_that_is_too_large_is_refused(store: Store) {
    let of = |bytes| {
        let empty = Metadata { actor: Some(String::new()), ..Metadata::default() }.encoded_len();
        let metadata = Metadata { actor: Some("x".repeat(bytes - empty)), ..Metadata::default() };
        one(NewEvent { metadata, ..event() })
    };
    let reason = invalid(&store, of(max::METADATA_BYTES_MAX + 1)).await;
    assert!(matches!(reason, InvalidAppend::TooLarge { what: "metadata", .. }), "{reason}");
    append(&store, of(max::METADATA_BYTES_MAX)).await;
}

pub async fn too_many_tags_are_refused(store: Store) {
    let of = |count: usize| {
        let tags = (0..count).map(|index| Tag::new(format!("tag:{index}")).unwrap()).collect();
        one(NewEvent { tags, ..event() })
    };
    let reason = invalid(&store, of(max::EVENT_TAGS_MAX + 1)).await;
    assert!(matches!(reason, InvalidAppend::TooMany { .. }), "{reason}");
    append(&store, of(max::EVENT_TAGS_MAX)).await;
}

pub async fn an_event_of_schema_version_0_is_refused(store: Store) {
    let of = |schema_version| NewEvent { schema_version, ..event() };
    let (first, unset) = (of(1), of(0));
    let refused = InvalidAppend::SchemaVersionZero(unset.id);
    assert_eq!(invalid(&store, Append::to(stream("a"), Any, vec![first, unset])).await, refused);
    append(&store, Append::to(stream("a"), Any, vec![of(1), of(u32::MAX)])).await;
}

pub async fn an_append_that_is_too_large_is_refused(store: Store) {
    const EVENTS: usize = 8;
    let of = |bytes: usize| {
        let empty = record::encoded_len(&stream("a"), &NewEvent { payload: "".into(), ..event() });
        let (each, rest) = ((bytes / EVENTS) - empty, bytes % EVENTS);
        let payload = |index| vec![b' '; if index == 0 { each + rest } else { each }].into();
        let events = (0..EVENTS).map(|index| NewEvent { payload: payload(index), ..event() });
        Append::to(stream("a"), Any, events.collect())
    };
    let reason = invalid(&store, of(max::APPEND_BYTES_MAX + 1)).await;
    assert!(matches!(reason, InvalidAppend::TooLarge { what: "append", .. }), "{reason}");
    append(&store, of(max::APPEND_BYTES_MAX)).await;
    assert_eq!(log(&store).await.len(), EVENTS);
}

pub async fn an_append_of_nothing_is_refused(store: Store) {
    assert_eq!(invalid(&store, Append::new()).await, InvalidAppend::Empty);
    let only_requires = Append::new().require(stream("a"), Any);
    assert_eq!(invalid(&store, only_requires).await, InvalidAppend::Empty);
    let hollow = Append::to(stream("a"), Any, Vec::new()).write(stream("b"), Any, events(1));
    assert_eq!(invalid(&store, hollow).await, InvalidAppend::EmptyWrite(stream("a")));
}

pub async fn nothing_may_stand_in_an_append_twice(store: Store) {
    let twice = of("a", 1).write(stream("a"), Any, events(1));
    assert_eq!(invalid(&store, twice).await, InvalidAppend::RepeatedStream(stream("a")));
    let required_too = of("a", 1).require(stream("a"), Any);
    assert_eq!(invalid(&store, required_too).await, InvalidAppend::RepeatedStream(stream("a")));
    let update = Append::new().set_mark(mark("m"), None, Sequence::FIRST);
    let marks = update.set_mark(mark("m"), Some(Sequence::FIRST), Sequence::new(2));
    assert_eq!(invalid(&store, marks).await, InvalidAppend::RepeatedMark(mark("m")));
    let event = event();
    let same_event = one(event.clone()).write(stream("b"), Any, vec![event.clone()]);
    assert_eq!(invalid(&store, same_event).await, InvalidAppend::RepeatedEventId(event.id));
}

pub async fn errors_tell_the_caller_whether_to_repeat(store: Store) {
    let first = of("a", 1);
    append(&store, first.clone()).await;
    let conflict = store.append(expecting("a", NoStream)).await.unwrap_err();
    let invalid = store.append(Append::new()).await.unwrap_err();
    let reused = store.append(Append { request_id: first.request_id, ..of("a", 1) }).await.unwrap_err();
    assert!(matches!(conflict, AppendError::Conflict(_)));
    assert!(matches!(invalid, AppendError::Invalid(_)));
    assert!(matches!(reused, AppendError::RequestIdReused { .. }));
    for error in [conflict, invalid, reused] {
        assert!(!error.is_retryable(), "repeating it changes nothing: {error}");
        assert!(!error.to_string().is_empty());
    }
}
