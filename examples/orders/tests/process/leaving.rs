//! What is told to stop ends in order, or at once.

use crate::{command, start};
use annals_tests::{Program, Server};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Semaphore;

/// How many clients place orders at the same time.
const CLIENTS: usize = 8;
/// How many orders are answered before the service is told to stop.
const ANSWERED_MIN: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_when_it_is_told_to_stop_under_load() {
    let data = tempfile::tempdir().unwrap();
    let (server, url) = start(data.path());
    let (stop, enough) = (Arc::new(AtomicBool::new(false)), Arc::new(Semaphore::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(place_orders(url.clone(), client, stop.clone(), enough.clone())))
        .collect();
    let _ = enough.acquire_many(u32::try_from(ANSWERED_MIN).unwrap()).await.unwrap();
    server.signal("TERM").unwrap();
    let (status, said) = server.ended().unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(status.success(), "{status}: {}", said.join("\n"));
    assert!(!said.iter().any(|line| line.contains("not in order")), "{}", said.join("\n"));
    let (mut answered, mut unanswered) = (Vec::new(), Vec::new());
    for client in clients {
        let (orders, last) = client.await.unwrap();
        answered.extend(orders);
        unanswered.extend(last);
    }
    assert!(answered.len() >= ANSWERED_MIN);
    let (server, url) = start(data.path());
    let last = answered.iter().map(|(_, token)| *token).max().unwrap();
    let found = async |customer: &str| {
        let url = format!("{url}/customers/{customer}?wait_for={last}");
        Client::new().get(url).send().await.unwrap().status()
    };
    for (customer, _) in answered {
        assert_eq!(found(&customer).await, StatusCode::OK, "{customer} was answered");
    }
    for customer in unanswered {
        assert_eq!(found(&customer).await, StatusCode::NOT_FOUND, "{customer} was taken and not answered");
    }
    server.stop().unwrap();
}

/// Places one order after the other until the service takes no more; returns the customers whose orders were answered with the
/// tokens, and the one whose was not.
async fn place_orders(
    url: String,
    client: usize,
    stop: Arc<AtomicBool>,
    enough: Arc<Semaphore>,
) -> (Vec<(String, u64)>, Option<String>) {
    let (http, mut answered) = (Client::new(), Vec::new());
    for order in 0.. {
        let customer = format!("customer-{client}-{order}");
        let placed = http.post(format!("{url}/orders/{client}-{order}"));
        let placed = placed.json(&json!({ "customer": customer, "cents": 100 })).send().await;
        // A connection that is kept open may be closed under a request that the service never saw.
        let Ok(answer) = placed else { return (answered, Some(customer)) };
        assert_eq!(answer.status(), StatusCode::CREATED);
        let body: Value = answer.json().await.unwrap();
        answered.push((customer, body["token"].as_u64().unwrap()));
        enough.add_permits(1);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    (answered, None)
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let data = tempfile::tempdir().unwrap();
    let (server, url) = start(data.path());
    let address = url.trim_start_matches("http://");
    let mut held = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /orders/1 HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\
        expect: 100-continue\r\n\r\n"
    );
    held.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 12];
    held.read_exact(&mut go_on).unwrap();
    server.signal("TERM").unwrap();
    // It takes no more connections, so it has heard the first signal.
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    server.signal("INT").unwrap();
    let (status, said) = server.ended().unwrap();
    assert_eq!(status.code(), Some(130), "{}", said.join("\n"));
}

#[test]
fn a_collector_that_does_not_answer_keeps_nobody_from_ending() {
    let (data, silent) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let variables = [
        ("ANNALS_DATA", data.path().to_str().unwrap()),
        ("ANNALS_LISTEN", "127.0.0.1:0"),
        ("ANNALS_HTTP__SHUTDOWN", "2s"),
    ];
    let mut command = command(&variables);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", silent.local_addr().unwrap()));
    let mut server = Server::start(command).unwrap();
    server.line("listening on ").unwrap();
    server.stop().unwrap();
}

#[tokio::test]
async fn a_service_that_drains_takes_requests_and_says_that_it_leaves() {
    let data = tempfile::tempdir().unwrap();
    let variables = [("ANNALS_DATA", data.path().to_str().unwrap()), ("ANNALS_LISTEN", "127.0.0.1:0")];
    let drains = |time| [variables.as_slice(), &[("ANNALS_HTTP__DRAIN", time)]].concat();
    let mut server = Server::start(command(&drains("1h"))).unwrap();
    let url = server.line("listening on ").unwrap();
    server.signal("TERM").unwrap();
    let ready = async || reqwest::get(format!("{url}/health/ready")).await.unwrap();
    while ready().await.status() != StatusCode::SERVICE_UNAVAILABLE {
        tokio::task::yield_now().await;
    }
    assert!(ready().await.text().await.unwrap().contains("it was told to stop"));
    let placed =
        Client::new().post(format!("{url}/orders/1")).json(&json!({ "customer": "ann", "cents": 1 }));
    assert_eq!(placed.send().await.unwrap().status(), StatusCode::CREATED, "it drains");
    server.signal("TERM").unwrap();
    let (status, said) = server.ended().unwrap();
    assert_eq!(status.code(), Some(130), "{}", said.join("\n"));
    let mut server = Server::start(command(&drains("10ms"))).unwrap();
    server.line("listening on ").unwrap();
    server.stop().unwrap();
}

/// The store is killed under a request, and the service is told to stop: the request is answered, and all ends in order.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_store_that_is_gone_is_answered_at_the_end() {
    let (log, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let arguments = ["--data", log.path().to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut store = Program::build("annals-event-store").unwrap().serve(&arguments).unwrap();
    let store_url = store.line("listening on ").unwrap();
    let own = [
        ("ANNALS_DATA", data.path().to_str().unwrap()),
        ("ANNALS_LISTEN", "127.0.0.1:0"),
        ("ANNALS_STORE", &store_url),
    ];
    let mut service = Server::start(command(&own)).unwrap();
    let url = service.line("listening on ").unwrap();
    let place = async |order: &str| {
        let placed = Client::new().post(format!("{url}/orders/{order}"));
        placed.json(&json!({ "customer": "ann", "cents": 100 })).send().await.unwrap()
    };
    assert_eq!(place("1").await.status(), StatusCode::CREATED);
    store.signal("KILL").unwrap();
    store.ended().unwrap();
    let told = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        service.signal("TERM").unwrap();
    };
    let (waiting, ()) = tokio::join!(place("2"), told);
    assert_eq!(waiting.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: Value = waiting.json().await.unwrap();
    assert!(body["detail"].as_str().unwrap().contains("the service is stopping"), "{body}");
    let (status, said) = service.ended().unwrap();
    assert!(status.success(), "{status}: {}", said.join("\n"));
    assert!(!said.iter().any(|line| line.contains("not in order")), "{}", said.join("\n"));
}
