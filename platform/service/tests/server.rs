//! The limits of a server, over real sockets.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_service::{BindError, HttpLimits, HttpServer, LongLived, Unhurried, finish};
use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body::Body as _;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(50);

async fn serve(routes: Router, limits: HttpLimits) -> (SocketAddr, DropGuard) {
    let server = HttpServer::bind("127.0.0.1:0".parse().unwrap(), limits.clone()).await.unwrap();
    let (address, shutdown) = (server.address(), CancellationToken::new());
    tokio::spawn(server.serve(finish(routes, &limits, "try /"), shutdown.clone()));
    (address, shutdown.drop_guard())
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello").post(async |body: String| body))
}

/// What the server sends until it closes.
async fn answer(address: SocketAddr, sent: impl AsRef<[u8]>) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(sent.as_ref()).await.unwrap();
    let mut answer = String::new();
    // It may close while there is something on its way.
    let _ = connection.read_to_string(&mut answer).await;
    answer
}

async fn http2(address: SocketAddr) -> (http2::SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let connection = TcpStream::connect(address).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    let (sender, connection) = builder.handshake(TokioIo::new(connection)).await.unwrap();
    (sender, tokio::spawn(connection))
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_also_between_two_requests() {
    let (address, _running) =
        serve(hello(), HttpLimits { header_time_max: SHORT, ..HttpLimits::default() }).await;
    assert_eq!(answer(address, "").await, "");
    assert_eq!(answer(address, "GET / HTTP/1.1\r\nhost:").await, "");
    assert!(answer(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.ends_with("hello"));
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_over_http2_too() {
    let (address, _running) =
        serve(hello(), HttpLimits { idle_time_max: SHORT, ..HttpLimits::default() }).await;
    let (mut sender, ended) = http2(address).await;
    let answer = sender.send_request(Request::get("http://a/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_pauses_is_given_up_and_gives_back_what_it_reserved() {
    let limits = HttpLimits {
        body_pause_max: SHORT,
        budget_bytes: 0,
        body_bytes_max: 100,
        message_bytes_max: 0,
        ..HttpLimits::default()
    };
    let begun = Arc::new(Notify::new());
    let read = async |Extension(begun): Extension<Arc<Notify>>, request: Request| {
        begun.notify_one();
        axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default()
    };
    let routes = Router::new().route("/", post(read)).layer(Extension(Arc::clone(&begun)));
    let (address, _running) = serve(routes, limits).await;
    let post = |length: usize, body: &str| {
        format!("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let slow = tokio::spawn(answer(address, post(100, "begun")));
    begun.notified().await;
    let quick = answer(address, post(2, "ok")).await;
    assert!(quick.starts_with("HTTP/1.1 200") && quick.ends_with("ok"), "{quick}");
    let slow = slow.await.unwrap();
    assert!(slow.starts_with("HTTP/1.1 408") && slow.contains("application/problem+json"), "{slow}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let (address, _running) =
        serve(hello(), HttpLimits { body_bytes_max: 10, ..HttpLimits::default() }).await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
    for body in ["content-length: 11\r\n\r\n", "transfer-encoding: chunked\r\n\r\nb\r\n12345678901\r\n"] {
        let answer = answer(address, format!("{head}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("at most 10 bytes"), "{answer}");
    }
}

#[tokio::test]
async fn each_answer_is_counted_also_those_that_the_server_gives_by_itself() {
    let limits = HttpLimits { request_time_max: SHORT, body_bytes_max: 10, ..HttpLimits::default() };
    let server = HttpServer::bind("127.0.0.1:0".parse().unwrap(), limits.clone()).await.unwrap();
    let (address, answered, shutdown) = (server.address(), server.answered(), CancellationToken::new());
    let never = get(async || std::future::pending::<()>().await);
    let routes = finish(hello().route("/never", never), &limits, "try /");
    tokio::spawn(server.serve(routes, shutdown.clone()));
    for (path, length, status) in [("/", 0, 200), ("/nowhere", 0, 404), ("/", 11, 413), ("/never", 0, 503)] {
        let method = if length > 0 { "POST" } else { "GET" };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close");
        let answer = answer(address, format!("{head}\r\ncontent-length: {length}\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    let counts: Vec<_> = answered.now().into_iter().collect();
    assert_eq!(counts, [(200, 1), (404, 1), (413, 1), (503, 1)]);
    shutdown.cancel();
}

#[tokio::test]
async fn a_request_that_is_not_answered_in_time_is_told_so() {
    let never = async || std::future::pending::<()>().await;
    let routes = Router::new().route("/", get(never).post(never));
    let (address, _running) =
        serve(routes, HttpLimits { request_time_max: SHORT, ..HttpLimits::default() }).await;
    let ask = async |method: &str, more: &str| {
        answer(address, format!("{method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n")).await
    };
    let read = ask("GET", "").await;
    assert!(read.starts_with("HTTP/1.1 503") && read.contains("no answer within 50 ms; repeat"), "{read}");
    assert!(read.contains("retry-after"), "{read}");
    // With a body that the route does not ask for, too.
    for more in ["", "content-length: 1\r\n"] {
        let write = ask("POST", more).await;
        assert!(
            write.starts_with("HTTP/1.1 503") && write.contains("no answer within 50 ms; it may"),
            "{write}"
        );
        assert!(write.contains("only if it names its own id") && !write.contains("retry-after"), "{write}");
    }
}

#[tokio::test]
async fn limits_may_be_as_long_as_times_can_be() {
    let forever = Duration::MAX;
    let limits = HttpLimits {
        header_time_max: forever,
        body_pause_max: forever,
        request_time_max: forever,
        answer_time_max: forever,
        idle_time_max: forever,
        keepalive_interval: forever,
        keepalive_time_max: forever,
        shutdown_time_max: forever,
        ..HttpLimits::default()
    };
    let (address, _running) = serve(hello(), limits).await;
    let close = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(answer(address, close).await.ends_with("hello"));
    let (mut sender, _connection) = http2(address).await;
    let answer =
        sender.send_request(Request::post("http://a/").body(Body::from("hello")).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_request_that_may_take_long_is_answered_whenever_it_is_done() {
    let done = Arc::new(Notify::new());
    let take_long = async |_: Unhurried, Extension(done): Extension<Arc<Notify>>, body: String| {
        done.notified().await;
        body
    };
    let routes = Router::new()
        .route("/long", post(take_long))
        .route("/short", get(async || std::future::pending::<()>().await))
        .layer(Extension(Arc::clone(&done)));
    let (address, _running) =
        serve(routes, HttpLimits { request_time_max: SHORT, ..HttpLimits::default() }).await;
    let (mut sender, _connection) = http2(address).await;
    let over_http2 = sender.send_request(Request::post("http://a/long").body(Body::from("done")).unwrap());
    let over_http2 = tokio::spawn(over_http2);
    let head = "host: a\r\nconnection: close\r\ncontent-length: 4\r\n\r\n";
    let over_http1 = tokio::spawn(answer(address, format!("POST /long HTTP/1.1\r\n{head}done")));
    let slow = answer(address, format!("POST /long HTTP/1.1\r\n{head}do")).await;
    assert!(slow.starts_with("HTTP/1.1 408"), "its body is not: {slow}");
    let short = answer(address, "GET /short HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(short.starts_with("HTTP/1.1 503"), "{short}");
    done.notify_one();
    done.notify_waiters();
    let over_http1 = over_http1.await.unwrap();
    assert!(over_http1.starts_with("HTTP/1.1 200") && over_http1.ends_with("done"), "{over_http1}");
    done.notify_one();
    assert_eq!(over_http2.await.unwrap().unwrap().status(), 200);
}

/// An answer without an end.
fn endless(given_up: CancellationToken) -> Response {
    let guard = given_up.drop_guard();
    let zeros = stream::repeat_with(move || {
        let _until_it_is_dropped = &guard;
        Ok::<_, std::io::Error>(Bytes::from_static(&[0; 1 << 10]))
    });
    Body::from_stream(zeros.boxed()).into_response()
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up_unless_it_is_to_last() {
    let limits = HttpLimits { request_time_max: SHORT, answer_time_max: SHORT, ..HttpLimits::default() };
    let (lasting, other) = (CancellationToken::new(), CancellationToken::new());
    let (lasting_token, other_token) = (lasting.clone(), other.clone());
    let routes = Router::new()
        .route("/lasting", get(async move || (Extension(LongLived), endless(lasting_token.clone()))))
        .route("/other", get(async move || endless(other_token.clone())));
    let (address, _running) = serve(routes, limits).await;
    let (mut sender, _connection) = http2(address).await;
    let mut ask = async |path: &str| {
        let request = Request::get(format!("http://a{path}")).body(Body::empty()).unwrap();
        sender.send_request(request).await.unwrap().into_body()
    };
    let mut kept = ask("/lasting").await;
    let _stalled = ask("/other").await;
    other.cancelled().await;
    assert!(!lasting.is_cancelled(), "it began first");
    let frame = poll_fn(|context| Pin::new(&mut kept).poll_frame(context)).await;
    assert!(frame.unwrap().is_ok());
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_sentence() {
    let (address, _running) = serve(hello(), HttpLimits::default()).await;
    let error = HttpServer::bind(address, HttpLimits::default()).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }));
    let expected = format!("{address} is in use by another process; stop it, or listen elsewhere");
    assert_eq!(error.to_string(), expected);
}
