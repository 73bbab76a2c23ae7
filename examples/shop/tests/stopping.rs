//! Programs that are told to stop while something is under way that does not end: they stop all the same, and one line says
//! what was cut off.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use annals_tests::{Program, Server};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use support::order;
use support::processes::{SHOP, STORE, ShopProcess, StoreProcess};

/// What a program says of itself when something was cut off.
const NOT_IN_ORDER: &str = "but not in order: ";

/// Posts a body of which the server reads `body` and waits for the rest; returns once it reads.
fn post(url: &str, path: &str, length: usize, body: &str) -> TcpStream {
    let address = url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
        content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 12];
    connection.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100");
    connection.write_all(body.as_bytes()).unwrap();
    connection
}

/// Tells it to stop. It ends well, and says in one line what was cut off.
#[track_caller]
fn assert_cuts_off(server: Server, what: &[&str]) {
    server.signal("TERM").unwrap();
    let (status, said) = server.ended().unwrap();
    assert!(status.success(), "{status}: {}", said.join("\n"));
    let told: Vec<_> = said.iter().filter_map(|line| line.split_once(NOT_IN_ORDER)).collect();
    let [(_, told)] = told.as_slice() else { panic!("one line says so: {}", said.join("\n")) };
    assert!(what.iter().all(|what| told.contains(what)), "{told}");
    assert!(!said.iter().any(|line| line.contains("by force")), "{}", said.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_stops_while_an_order_waits_for_a_store_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreProcess::start(folder.path());
    let more = ["--store", &store.url(), "--http.shutdown", "5s"];
    let shop = ShopProcess::of(SHOP, &folder.path().join("shop"), &more);
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    store.stop();
    let body = order("o-2", 2_933).to_string();
    let _under_way = post(shop.url(), "/orders", body.len(), &body);
    shop.server.signal("TERM").unwrap();
    let (status, said) = shop.server.ended().unwrap();
    assert!(status.success(), "{status}: {}", said.join("\n"));
    assert!(!said.iter().any(|line| line.contains("not in order")), "{}", said.join("\n"));
}

#[test]
fn a_replay_controller_stops_while_a_request_waits_for_an_absent_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreProcess::start(folder.path());
    let controller = Program::build("annals-replay-controller").unwrap();
    let arguments = ["--store", &store.url(), "--store.call", "60s", "--listen", "127.0.0.1:0"];
    let mut controller = controller.serve(&arguments).unwrap();
    let url = controller.line("listening on ").unwrap();
    store.stop();
    let body = r#"{"read_model":"sales","from":1,"mode":"plan"}"#;
    let _under_way = post(&url, "/replays", body.len(), body);
    assert_cuts_off(controller, &["the HTTP server"]);
}

#[test]
fn an_event_store_stops_despite_an_endless_body_and_a_silent_collector() {
    let folder = tempfile::tempdir().unwrap();
    let (data, silent) = (folder.path().to_str().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut command = STORE.command(&["--data", data, "--listen", "127.0.0.1:0"]);
    let collector = format!("http://{}", silent.local_addr().unwrap());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    let mut store = Server::start(command).unwrap();
    let url = store.line("listening on ").unwrap();
    let _under_way = post(&url, "/v1/backup", 2, "{");
    assert_cuts_off(store, &["the HTTP server", "the last spans"]);
}

/// The store takes connections, and says nothing. What has not served yet has nothing to end.
#[test]
fn a_program_that_waits_for_its_store_is_stopped_before_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let controller = Program::build("annals-replay-controller").unwrap();
    for (program, more) in [(Program::at(SHOP), vec!["--data", data]), (controller, vec![])] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let store = format!("http://{}", silent.local_addr().unwrap());
        let arguments = [vec!["--store", &store, "--listen", "127.0.0.1:0"], more].concat();
        let waiting = program.serve(&arguments).unwrap();
        let _connection = silent.accept().unwrap();
        waiting.signal("TERM").unwrap();
        let (status, said) = waiting.ended().unwrap();
        assert_eq!(status.code(), Some(0), "{}", said.join("\n"));
        assert!(!said.iter().any(|line| line.starts_with("listening on")), "{}", said.join("\n"));
    }
}
