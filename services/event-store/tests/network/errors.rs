//! Every error of a store reaches the client unchanged.

use crate::floods::stranger;
use crate::support::{Server, one_event, stream};
use annals_event::{
    Append, Conflict, EventId, ExpectedVersion, InvalidAppend, LogId, MarkName, Opening, Receipt, RequestId,
    Sequence, Timestamp, Version,
};
use annals_store::{
    AppendError, Capabilities, Damage, EventStore, Filter, GappedStore, Head, LogPage, ReadError, ReadLog,
    ReadStream, StreamPage, Subscribe, Subscription,
};
use annals_store_grpc::{ConnectError, GrpcStore, Options};
use annals_wire::v1;
use async_trait::async_trait;
use futures::stream as streams;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tonic::Code;

/// A store that answers only `head`; all else fails with a chosen error, which real stores cannot be made to give.
struct Failing {
    append: AppendError,
    read: ReadError,
    /// How many appends were requested.
    appends: AtomicUsize,
}

#[async_trait]
impl EventStore for Failing {
    fn capabilities(&self) -> Capabilities {
        Capabilities::of("failing")
    }
    async fn append(&self, _: Append) -> Result<Receipt, AppendError> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        Err(self.append.clone())
    }
    async fn read_stream(&self, _: ReadStream) -> Result<StreamPage, ReadError> {
        Err(self.read.clone())
    }
    async fn read_log(&self, _: ReadLog) -> Result<LogPage, ReadError> {
        Err(self.read.clone())
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        // From the start: refused. From elsewhere: fails later.
        if subscribe.from == Sequence::ZERO {
            return Err(self.read.clone());
        }
        Ok(Subscription::new(streams::iter([Err(self.read.clone())])))
    }
    async fn head(&self) -> Result<Head, ReadError> {
        let (log_id, opening) = (LogId::from_bytes([7; 16]), Opening::from_bytes([8; 16]));
        Ok(Head { log_id, first: Sequence::FIRST, last: Sequence::ZERO, opening })
    }
    async fn mark(&self, _: &MarkName) -> Result<Option<Sequence>, ReadError> {
        Err(self.read.clone())
    }
    async fn sequence_at(&self, _: Timestamp) -> Result<Sequence, ReadError> {
        Err(self.read.clone())
    }
}

fn damage() -> Damage {
    Damage { place: "000007.log".into(), offset: Some(4_096), reason: "the checksum is wrong".into() }
}

async fn failing(append: AppendError, read: ReadError) -> (Server, GrpcStore) {
    let (server, client, _) = counted(append, read).await;
    (server, client)
}

async fn counted(append: AppendError, read: ReadError) -> (Server, GrpcStore, Arc<Failing>) {
    let store = Arc::new(Failing { append, read, appends: AtomicUsize::new(0) });
    let server = Server::start(store.clone()).await;
    let options = Options { retry_time_max: Duration::from_millis(100), ..Options::default() };
    let client = GrpcStore::connect(&server.url(), options).await.unwrap();
    (server, client, store)
}

#[tokio::test]
async fn append_errors_arrive_unchanged() {
    let stream_conflict =
        |expected| Conflict::Stream { stream: stream("a"), expected, actual: Version::FIRST };
    let mark = MarkName::new("m").unwrap();
    for error in [
        stream_conflict(ExpectedVersion::NoStream).into(),
        stream_conflict(ExpectedVersion::Exact(Version::new(9))).into(),
        Conflict::Mark { mark, expected: None, actual: Some(Sequence::ZERO) }.into(),
        AppendError::Invalid(InvalidAppend::TooMany { what: "events", actual: 2, max: 1 }),
        AppendError::Invalid(InvalidAppend::Refused { reason: "not today".into() }),
        AppendError::RequestIdReused { request_id: RequestId::generate() },
        AppendError::OriginalDropped { request_id: RequestId::generate() },
        AppendError::EventIdReused { event_id: EventId::generate() },
        AppendError::RequestUnjudged {
            request_id: RequestId::generate(),
            judged_after: Timestamp::from_micros(1),
        },
        AppendError::RequestAhead { request_id: RequestId::generate(), ahead: Duration::from_secs(6) },
        AppendError::Unavailable { reason: "the disk is full".into() },
        AppendError::Corrupted(damage()),
    ] {
        let (_server, client) = failing(error.clone(), ReadError::Corrupted(damage())).await;
        assert_eq!(client.append(one_event("a")).await, Err(error));
    }
}

#[tokio::test]
async fn an_append_that_cannot_be_judged_is_asked_for_once_and_is_an_error() {
    let request_id = RequestId::generate();
    for error in [
        AppendError::RequestUnjudged { request_id, judged_after: Timestamp::from_micros(1) },
        AppendError::RequestAhead { request_id, ahead: Duration::from_secs(6) },
        AppendError::EventIdReused { event_id: EventId::generate() },
    ] {
        let (_server, client, store) = counted(error.clone(), ReadError::Corrupted(damage())).await;
        assert_eq!(client.append(one_event("a")).await, Err(error));
        assert_eq!(store.appends.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn read_errors_arrive_unchanged_from_every_method() {
    for error in [
        ReadError::BelowStart { requested: Sequence::FIRST, first: Sequence::new(9) },
        ReadError::Invalid { reason: "no".into() },
        ReadError::Unavailable { reason: "the log is being opened".into() },
        ReadError::Corrupted(damage()),
    ] {
        let (_server, client) = failing(AppendError::Corrupted(damage()), error.clone()).await;
        let read = ReadStream::forward(stream("a"));
        assert_eq!(client.read_stream(read).await, Err(error.clone()));
        assert_eq!(client.read_log(ReadLog::from(Sequence::FIRST)).await, Err(error.clone()));
        assert_eq!(client.mark(&MarkName::new("m").unwrap()).await, Err(error.clone()));
        assert_eq!(client.sequence_at(Timestamp::default()).await, Err(error.clone()));
        let refused = client.subscribe(Subscribe { from: Sequence::ZERO, filter: Filter::all() }).await;
        assert_eq!(refused.unwrap_err(), error);
    }
}

#[tokio::test]
async fn an_error_in_a_subscription_arrives_unchanged_and_ends_it() {
    for error in [
        ReadError::BelowStart { requested: Sequence::FIRST, first: Sequence::new(9) },
        ReadError::Corrupted(damage()),
        ReadError::Unavailable { reason: "the store was dropped".into() },
    ] {
        let (_server, client) = failing(AppendError::Corrupted(damage()), error.clone()).await;
        let subscribe = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
        let mut subscription = client.subscribe(subscribe).await.unwrap();
        assert_eq!(subscription.next().await, Err(error));
        let over = subscription.next().await.unwrap_err().to_string();
        assert!(over.contains("the subscription ended"), "{over}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_an_example() {
    for bad in ["", "127.0.0.1:1", "https://127.0.0.1:1", "not an address", "http://"] {
        let error = GrpcStore::connect(bad, Options::default()).await.unwrap_err();
        assert!(matches!(&error, ConnectError::Address { .. }), "{bad:?}: {error}");
        assert!(error.to_string().contains("looks like http://127.0.0.1:"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let url = server.url();
    server.stop().await;
    let options = Options { retry_time_max: Duration::from_millis(100), ..Options::default() };
    let error = GrpcStore::connect(&url, options).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot use the event store at {url}: ")), "{error}");
}

#[tokio::test]
async fn the_client_says_what_the_servers_store_can_do() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let client = server.client().await;
    let expected = Capabilities::of(format!("memory with gaps at {}", server.url()));
    assert_eq!(client.capabilities(), expected);
}

#[tokio::test]
async fn an_event_without_schema_version_is_an_invalid_argument_and_not_written() {
    let store = GappedStore::new();
    let server = Server::start(Arc::new(store.clone())).await;
    let mut stranger = stranger(&server).await;
    let mut append = v1::AppendRequest::from(one_event("a"));
    append.writes[0].events[0].schema_version = 0;
    let refused = stranger.append(append).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("schema version 0"), "{}", refused.message());
    assert_eq!(store.head().await.unwrap().last, Sequence::ZERO);
}
