//! Clients that repeat themselves, and clients that mean harm, over real sockets.

use crate::{command, start};
use annals_tests::Server;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
};
use tempfile::TempDir;

/// How many repeat the same request at the same time.
const REPEATS: usize = 16;
/// How many connections the service serves at once.
const CONNECTIONS: usize = 32;
/// How many a client opens.
const OPENED: usize = 10_000;
/// Files that a service may open besides.
const OTHER_FILES: usize = 32;

/// Places the same order, and returns the status and the token.
async fn place(url: String, customer: &str) -> (StatusCode, Value) {
    let order = json!({ "customer": customer, "cents": 5 });
    let request = Client::new().post(format!("{url}/orders/1")).header("idempotency-key", "k-1").json(&order);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json::<Value>().await.unwrap()["token"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_repeated_by_its_key_is_done_once() {
    let data = tempfile::tempdir().unwrap();
    let (server, url) = start(data.path());
    let asked: Vec<_> = (0..REPEATS).map(|_| tokio::spawn(place(url.clone(), "ann"))).collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    server.stop().unwrap();
    let (server, url) = start(data.path());
    answers.push(place(url.clone(), "ann").await);
    let first = answers[0].clone();
    assert_eq!(first.0, StatusCode::CREATED);
    assert!(answers.iter().all(|answer| *answer == first), "each gets the first one's answer: {answers:?}");
    assert_eq!(place(url.clone(), "bob").await.0, StatusCode::CONFLICT, "the same key for something else");
    let token = &first.1;
    let ann: Value =
        reqwest::get(format!("{url}/customers/ann?wait_for={token}")).await.unwrap().json().await.unwrap();
    assert_eq!(ann["orders"], 1);
    let health: Value = reqwest::get(format!("{url}/health")).await.unwrap().json().await.unwrap();
    assert_eq!(&health["head"], token, "nothing else was written");
    server.stop().unwrap();
}

/// A service with small limits.
fn strict() -> (Server, String, TempDir) {
    let (data, connections) = (tempfile::tempdir().unwrap(), CONNECTIONS.to_string());
    let limits = [
        ("ANNALS_DATA", data.path().to_str().unwrap()),
        ("ANNALS_LISTEN", "127.0.0.1:0"),
        ("ANNALS_HTTP__REQUEST", "200ms"),
        ("ANNALS_HTTP__BODY", "1 KiB"),
        ("ANNALS_HTTP__CONNECTIONS", &connections),
    ];
    let mut server = Server::start(command(&limits)).unwrap();
    let url = server.line("listening on ").unwrap();
    (server, url, data)
}

/// What the service answers until it closes, to a client that sends this and then `more` for as long as it may.
fn answer(url: &str, sent: &str, more: &[u8]) -> String {
    let mut connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    connection.write_all(sent.as_bytes()).unwrap();
    if !more.is_empty() {
        let mut hostile = connection.try_clone().unwrap();
        let more = more.to_owned();
        // It ends when the service closes.
        std::thread::spawn(move || while hostile.write_all(&more).is_ok() {});
    }
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn requests_that_do_not_end_are_answered_and_their_connections_closed() {
    let (server, url, _data) = strict();
    let head = "POST /orders/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let half = answer(&url, &format!("{head}content-length: 20\r\n\r\n{{\"customer\":"), b"");
    assert!(half.starts_with("HTTP/1.1 408"), "{half}");
    let large = answer(&url, &format!("{head}content-length: 4000000\r\n\r\n"), b"");
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    let chunk = [&b"400\r\n"[..], &[b' '; 1024], b"\r\n"].concat();
    let endless = answer(&url, &format!("{head}transfer-encoding: chunked\r\n\r\n"), &chunk);
    // Who goes on sending may miss the answer.
    assert!(endless.is_empty() || endless.starts_with("HTTP/1.1 413"), "{endless}");
    let header = answer(&url, "GET / HTTP/1.1\r\nhost: a\r\nx-long: ", &[b'x'; 1024]);
    assert!(header.is_empty() || header.starts_with("HTTP/1.1 431"), "{header}");
    server.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_cost_no_more_than_the_limit() {
    let (server, url, _data) = strict();
    let address = url.trim_start_matches("http://").to_owned();
    let before = server.open_files().unwrap();
    let opened: Vec<_> =
        (0..OPENED).map(|_| tokio::spawn(tokio::net::TcpStream::connect(address.clone()))).collect();
    while server.open_files().unwrap() < before + CONNECTIONS {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        let files = server.open_files().unwrap();
        assert!(files <= before + CONNECTIONS + OTHER_FILES, "{files} files, {before} before");
        tokio::task::yield_now().await;
    }
    for connection in opened {
        connection.abort();
        // Whoever was let in goes again.
        drop(connection.await);
    }
    let live = reqwest::get(format!("{url}/health/live")).await.unwrap();
    assert_eq!(live.status(), StatusCode::OK, "it answers once the others are gone");
    server.stop().unwrap();
}
