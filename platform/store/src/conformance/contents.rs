//! Whatever an event holds comes back unchanged, however it is read.

use super::{
    Store,
    fixture::{Subscriber, append, event, event_of, mark, page, recorded, stream, version},
};
use crate::{Filter, ReadLog, ReadStream};
use annals_event::{
    Append, Category, ContentType, CorrelationId, EventId, EventType, ExpectedVersion::Any, Metadata,
    NewEvent, Sequence, Tag, TraceContext, limits,
};

/// Texts that some layer below might take for a path, an SQL literal, a pattern, HTML, a header or an escape.
const HOSTILE: &[&str] = &[
    "../x",
    "../../../../etc/passwd",
    "/absolute",
    "C:\\windows\\system32",
    "'; DROP TABLE events; --",
    "\"quoted\" 'twice'",
    "<script>alert(1)</script>",
    "%s%n%00",
    "{0} ${HOME} $(id) `id`",
    "a*b?c[d]",
    " leading and trailing ",
    "-",
    "--help",
    ".",
    "..",
    "null",
    "NUL",
    "ünïcödé-中文-🦀",
    "\u{202e}right to left",
    "\u{feff}mark",
    "e\u{301}",
];

/// Appends `event` to the stream `name` and checks what each way of reading returns.
async fn comes_back(store: &Store, name: &str, event: NewEvent) {
    let receipt = append(store, Append::to(stream(name), Any, vec![event.clone()])).await;
    let by_log = page(store, ReadLog::from(receipt.head)).await.events;
    let back = ReadStream { events_max: 1, ..ReadStream::backward(stream(name)) };
    let by_stream = store.read_stream(back).await.unwrap().events;
    let mut subscriber = Subscriber::from(store, receipt.head, Filter::all()).await;
    subscriber.until(receipt.head).await;
    let category = Category::new(stream(name).category());
    let filter =
        Filter { stream: Some(stream(name)), categories: category.into_iter().collect(), ..Filter::all() };
    let filtered = page(store, ReadLog::filtered(receipt.head, filter)).await.events;
    for there in [recorded(&by_log), recorded(&by_stream), subscriber.events, recorded(&filtered)] {
        assert_eq!(there[0].event, event);
        assert_eq!(there[0].stream.as_str(), name);
        assert_eq!(there[0].sequence, receipt.head);
    }
}

pub async fn everything_about_an_event_comes_back(store: Store) {
    let trace_id = *b"sixteen bytes id";
    let trace = TraceContext { trace_id, span_id: *b"eight by", flags: 1, state: "vendor=1,other=2".into() };
    let headers = [("service", "orders"), ("empty", ""), ("ünï", "cödé\r\n\0")];
    let metadata = Metadata {
        correlation_id: Some(CorrelationId::generate()),
        causation_id: Some(EventId::generate()),
        trace: Some(trace),
        tenant: Some("tenant".into()),
        actor: Some(String::new()),
        subject_key: Some("key".into()),
        headers: headers.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    };
    let tags = ["customer:7", "a:b:c", "ключ:значение"].map(|tag| Tag::new(tag).unwrap()).to_vec();
    let plain = event();
    comes_back(&store, "plain", plain.clone()).await;
    comes_back(&store, "tagged", NewEvent { tags: tags.clone(), ..event() }).await;
    comes_back(&store, "described", NewEvent { metadata: metadata.clone(), ..event() }).await;
    let event = NewEvent { tags, metadata, schema_version: u32::MAX, payload: "{\"a\":1}".into(), ..event() };
    comes_back(&store, "rich", event).await;
}

pub async fn payloads_of_every_size_come_back(store: Store) {
    for bytes in [0, 1, 4_095, 4_096, 4_097, 65_535, 65_536, limits::PAYLOAD_BYTES_MAX] {
        let payload: Vec<u8> = (0_u8..=255).cycle().take(bytes).collect();
        let content_type = ContentType::BYTES;
        comes_back(&store, "bytes", NewEvent { payload: payload.into(), content_type, ..event() }).await;
    }
    let zeros = vec![0; limits::PAYLOAD_BYTES_MAX];
    comes_back(&store, "zeros", NewEvent { payload: zeros.into(), ..event() }).await;
}

pub async fn every_content_type_comes_back(store: Store) {
    let longest = "x".repeat(limits::CONTENT_TYPE_BYTES_MAX);
    for text in ["application/json", "application/octet-stream", "text/plain; charset=utf-8", "x", &longest] {
        let content_type = ContentType::new(text.to_owned()).unwrap();
        comes_back(&store, "typed", NewEvent { content_type, ..event() }).await;
    }
}

pub async fn hostile_names_are_only_names(store: Store) {
    for (index, name) in HOSTILE.iter().enumerate() {
        let headers = [(name.to_string(), name.to_string())].into();
        let metadata = Metadata { actor: Some(name.to_string()), headers, ..Metadata::default() };
        let tags = vec![Tag::new(format!("name:{name}")).unwrap()];
        let event = NewEvent { metadata, tags, payload: name.as_bytes().into(), ..event_of(name) };
        comes_back(&store, name, event).await;
        let value = Sequence::new(u64::try_from(index).unwrap());
        append(&store, Append::new().set_mark(mark(name), None, value)).await;
    }
    for (index, name) in HOSTILE.iter().enumerate() {
        assert_eq!(version(&store, name).await, 1, "{name:?}");
        let value = Sequence::new(u64::try_from(index).unwrap());
        assert_eq!(store.mark(&mark(name)).await.unwrap(), Some(value), "{name:?}");
    }
}

pub async fn names_at_their_limit_come_back(store: Store) {
    let longest = "s".repeat(limits::STREAM_NAME_BYTES_MAX);
    let event_type = EventType::new("é".repeat(limits::EVENT_TYPE_BYTES_MAX / 2)).unwrap();
    let tags = (0..limits::EVENT_TAGS_MAX)
        .map(|index| Tag::new(format!("{index}:{}", "t".repeat(limits::TAG_BYTES_MAX - 3))).unwrap())
        .collect();
    comes_back(&store, &longest, NewEvent { event_type, tags, ..event() }).await;
    let longest_mark = "m".repeat(limits::MARK_NAME_BYTES_MAX);
    append(&store, Append::new().set_mark(mark(&longest_mark), None, Sequence::FIRST)).await;
    assert_eq!(store.mark(&mark(&longest_mark)).await.unwrap(), Some(Sequence::FIRST));
}

pub async fn reserved_names_are_names_too(store: Store) {
    comes_back(&store, "$replay-1", event_of("$requested")).await;
    append(&store, Append::new().set_mark(mark("$platform"), None, Sequence::FIRST)).await;
    assert_eq!(store.mark(&mark("$platform")).await.unwrap(), Some(Sequence::FIRST));
}
