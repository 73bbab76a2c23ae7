//! Clients that send too much, too little or nonsense are disconnected, and do not disturb others.

use crate::support::{Server, event, one_event, stream};
use annals_event::{Append, ExpectedVersion, NewEvent, Sequence, limits::PAYLOAD_BYTES_MAX};
use annals_event_store::{Limits, Options};
use annals_service::HttpLimits;
use annals_store::{EventStore, Filter, GappedStore, ReadLog, ReadStream, Subscribe};
use annals_wire::{
    limits::{PAGE_BYTES_MAX, REQUEST_BYTES_MAX},
    v1,
};
use bytes::Bytes;
use http_body::Frame;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tonic::{Code, Status, transport::Channel};
use tower::ServiceExt;
use v1::event_store_client::EventStoreClient;

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A client that ignores all limits.
pub(crate) async fn stranger(server: &Server) -> EventStoreClient<Channel> {
    let channel = Channel::from_shared(server.url()).unwrap().connect().await.unwrap();
    EventStoreClient::new(channel)
}

async fn assert_well(server: &Server) {
    let receipt = server.client().await.append(one_event("well")).await;
    assert!(receipt.is_ok(), "{receipt:?}");
}

/// Bytes that look random but are the same in every run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let payload = vec![0; REQUEST_BYTES_MAX + 1].into();
    let append = Append::to(stream("a"), ExpectedVersion::Any, vec![NewEvent { payload, ..event() }]);
    let status = stranger(&server).await.append(v1::AppendRequest::from(append)).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("too large"), "{status}");
    assert_well(&server).await;
}

#[tokio::test]
async fn a_legal_message_with_an_illegal_append_is_refused_by_its_field() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let status = stranger(&server).await.append(v1::AppendRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("`AppendRequest.request_id` has 0 bytes"), "{status}");
}

#[tokio::test]
async fn millions_of_empty_events_are_refused_before_they_take_memory() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    // `StreamWrite.events`, each of no bytes, in one `AppendRequest.writes`.
    let events = [0x1a, 0].repeat(REQUEST_BYTES_MAX / 2 - 16);
    let mut write = vec![0x12];
    prost::encode_length_delimiter(events.len(), &mut write).unwrap();
    let length = u32::try_from(write.len() + events.len()).unwrap().to_be_bytes();
    let body = [&[0][..], &length, &write, &events].concat();
    let url = format!("{}/annals.v1.EventStore/Append", server.url());
    let request = client.post(url).header("content-type", "application/grpc").body(body);
    let answer = request.send().await.unwrap();
    let message = answer.headers()["grpc-message"].to_str().unwrap();
    assert!(message.contains("events") && message.contains("10000"), "{message}");
    assert_eq!(answer.headers()["grpc-status"], "3");
    assert_well(&server).await;
}

#[tokio::test]
async fn floods_of_bad_bytes_disturb_nobody() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    for seed in 0..300 {
        let mut bytes = if seed % 2 == 0 { HTTP2_PREFACE.to_vec() } else { Vec::new() };
        bytes.extend(noise(seed, 512));
        let mut connection = TcpStream::connect(server.address).await.unwrap();
        // The server may close the connection while we write, or keep it open and wait for the rest of a frame.
        let _ = connection.write_all(&bytes).await;
        let _ = connection.shutdown().await;
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
    }
    assert_well(&server).await;
}

#[tokio::test]
async fn bodies_of_bad_bytes_are_refused() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let giant_length = [0, 0xff, 0xff, 0xff, 0xff].to_vec();
    let framed = |body: Vec<u8>| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0][..], &length, &body].concat()
    };
    let noises = (0..100).map(|seed| framed(noise(seed, 200)));
    for body in noises.chain([giant_length, vec![7; 3], Vec::new()]) {
        let url = format!("{}/annals.v1.EventStore/Append", server.url());
        let request = client.post(url).header("content-type", "application/grpc").body(body);
        let answer = request.send().await.unwrap();
        let status = answer.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
        assert_ne!(status.as_deref(), Some("0"));
    }
    assert_well(&server).await;
}

fn with(http: HttpLimits) -> Options {
    Options { limits: Limits { http, ..Limits::default() }, ..Options::loopback() }
}

fn impatient() -> Options {
    let limits = HttpLimits { header_time_max: Duration::from_millis(50), ..Limits::default().http };
    with(limits)
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = Server::start_with(Arc::new(GappedStore::new()), impatient()).await;
    for begun in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"GET /health HTT", b"GET /health HTTP/1.1\r\nhost:"]
    {
        let mut connection = TcpStream::connect(server.address).await.unwrap();
        connection.write_all(begun).await.unwrap();
        let mut answer = Vec::new();
        // Ends when the server closes.
        let _ = connection.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    assert_well(&server).await;
}

#[tokio::test]
async fn a_full_house_of_idle_connections_is_emptied_in_time() {
    let limits = HttpLimits { connections_max: 4, ..impatient().limits.http };
    let options = with(limits);
    let server = Server::start_with(Arc::new(GappedStore::new()), options).await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert_well(&server).await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_answered_in_time() {
    let limits = HttpLimits { request_time_max: Duration::from_millis(100), ..Limits::default().http };
    let options = with(limits);
    let server = Server::start_with(Arc::new(GappedStore::new()), options).await;
    let mut client = stranger(&server).await;
    let mut codec = tonic::client::Grpc::new(Channel::from_shared(server.url()).unwrap().connect_lazy());
    codec.ready().await.unwrap();
    let endless = tonic::Request::new(futures::stream::pending::<v1::AppendRequest>());
    let path = "/annals.v1.EventStore/Append".parse().unwrap();
    let codec_of = tonic_prost::ProstCodec::<v1::AppendRequest, v1::AppendResponse>::default();
    let answer = codec.client_streaming(endless, path, codec_of).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
    assert!(client.head(v1::HeadRequest {}).await.is_ok());
}

/// A message of maximum size without its last byte, which never comes.
struct Unfinished {
    left: usize,
    begun: bool,
    sent: Arc<AtomicUsize>,
}

/// How many bytes of an unfinished message are handed to the connection at a time.
const CHUNK_BYTES: usize = 16 << 10;

impl http_body::Body for Unfinished {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];
        if !self.begun {
            self.begun = true;
            let length = u32::try_from(REQUEST_BYTES_MAX).unwrap().to_be_bytes();
            return Poll::Ready(Some(Ok(Frame::data([&[0][..], &length].concat().into()))));
        }
        let chunk = self.left.min(CHUNK_BYTES);
        if chunk == 0 {
            return Poll::Pending;
        }
        self.left -= chunk;
        self.sent.fetch_add(chunk, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS[..chunk])))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_messages_beyond_the_budget_are_refused() {
    const CONNECTIONS: usize = 3;
    const STREAMS: usize = 256;
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let mut answers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let channel = Channel::from_shared(server.url()).unwrap().connect().await.unwrap();
        for _ in 0..STREAMS {
            let body = Unfinished { left: REQUEST_BYTES_MAX - 1, begun: false, sent: Arc::clone(&sent) };
            let request = axum::http::Request::post(format!("{}/annals.v1.EventStore/Append", server.url()));
            let request = request.header("content-type", "application/grpc");
            let request = request.body(tonic::body::Body::new(body)).unwrap();
            answers.spawn(channel.clone().oneshot(request));
        }
    }
    let most = 128 << 20;
    for _ in 0..CONNECTIONS * (STREAMS - 16) {
        loop {
            let taken = sent.load(Ordering::Relaxed);
            assert!(taken < most, "the server took {taken} bytes of messages that nobody finished");
            if let Ok(answer) = timeout(Duration::from_millis(10), answers.join_next()).await {
                let status = answer.unwrap().unwrap().unwrap().headers()["grpc-status"].clone();
                assert_eq!(status, "14");
                break;
            }
        }
    }
    assert_well(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_more_than_its_share_at_once_gets_all_of_it_in() {
    const APPENDS: usize = 24;
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let client = server.client().await;
    let mut appends = JoinSet::new();
    for number in 0..APPENDS {
        let client = client.clone();
        appends.spawn(async move {
            let large = NewEvent { payload: vec![0; PAYLOAD_BYTES_MAX].into(), ..event() };
            let events = vec![large; 3].into_iter().map(|large| NewEvent { id: event().id, ..large });
            let to = stream(&format!("a-{number}"));
            client.append(Append::to(to, ExpectedVersion::NoStream, events.collect())).await
        });
    }
    while let Some(appended) = appends.join_next().await {
        assert!(appended.unwrap().is_ok());
    }
}

#[tokio::test]
async fn there_are_only_so_many_subscriptions_and_one_that_ends_makes_room() {
    let limits = Limits { subscriptions_max: 2, ..Limits::default() };
    let options = Options { limits, ..Options::loopback() };
    let server = Server::start_with(Arc::new(GappedStore::new()), options).await;
    let mut client = stranger(&server).await;
    let first = client.subscribe(v1::SubscribeRequest::default()).await.unwrap();
    let _second = client.subscribe(v1::SubscribeRequest::default()).await.unwrap();
    let third = client.subscribe(v1::SubscribeRequest::default()).await.unwrap_err();
    assert_eq!(third.code(), Code::ResourceExhausted);
    drop(first);
    // The client retries until the server has noticed.
    let patient = server.client().await;
    let mut subscription =
        patient.subscribe(Subscribe { from: Sequence::FIRST, filter: Filter::all() }).await.unwrap();
    assert!(subscription.next().await.unwrap().is_caught_up());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_subscribers_hold_up_neither_appends_nor_each_other() {
    let store = GappedStore::new();
    let server = Server::start(Arc::new(store.clone())).await;
    let client = server.client().await;
    let all = || Subscribe { from: Sequence::FIRST, filter: Filter::all() };
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(client.subscribe(all()).await.unwrap());
    }
    let large = || NewEvent { payload: vec![0; PAYLOAD_BYTES_MAX].into(), ..event() };
    for _ in 0..40 {
        client.append(Append::to(stream("a"), ExpectedVersion::Any, vec![large()])).await.unwrap();
    }
    for subscription in &mut stalled {
        let mut events = 0;
        while events < 40 {
            events += subscription.next().await.unwrap().events.len();
        }
    }
}

#[tokio::test]
async fn pages_of_large_events_are_cut_to_size_and_add_up() {
    let store = GappedStore::new();
    let sizes = [PAYLOAD_BYTES_MAX, 1, PAGE_BYTES_MAX / 2, PAGE_BYTES_MAX / 2, PAYLOAD_BYTES_MAX, 7];
    for size in sizes {
        let event = NewEvent { payload: vec![0; size].into(), ..event() };
        store.append(Append::to(stream("a"), ExpectedVersion::Any, vec![event])).await.unwrap();
    }
    let server = Server::start(Arc::new(store)).await;
    let client = server.client().await;

    let (mut read, mut payloads) = (ReadLog::from(Sequence::FIRST), Vec::new());
    loop {
        let page = client.read_log(read.clone()).await.unwrap();
        payloads.extend(page.events.iter().map(|event| event.payload().len()));
        read.from = page.through.next();
        if page.is_last() {
            break;
        }
    }
    assert_eq!(payloads, sizes);

    let (mut read, mut payloads) = (ReadStream::backward(stream("a")), Vec::new());
    loop {
        let page = client.read_stream(read.clone()).await.unwrap();
        payloads.extend(page.events.iter().map(|event| event.payload().len()));
        let Some(next) = page.next else { break };
        read.from = next;
    }
    payloads.reverse();
    assert_eq!(payloads, sizes);
}
