//! The service as a process that is configured by its environment alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_tests::{Program, Server};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
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

/// The program with these variables and no other of its own.
fn command(variables: &[(&str, &str)]) -> Command {
    let none: [&str; 0] = [];
    let mut command = Program::at(env!("CARGO_BIN_EXE_annals-orders")).command(&none);
    let configures = |name: &str| name.starts_with("ANNALS_");
    std::env::vars().filter(|(name, _)| configures(name)).for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.envs(variables.iter().copied());
    command
}

fn start(data: &Path) -> (Server, String) {
    let data = data.to_str().unwrap();
    let mut server =
        Server::start(command(&[("ANNALS_DATA", data), ("ANNALS_LISTEN", "127.0.0.1:0")])).unwrap();
    let url = server.line("listening on ").unwrap();
    (server, url)
}

#[track_caller]
fn assert_refuses(output: &Output, code: i32, said: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(said), "{told}");
}

#[test]
fn an_address_in_use_is_told_before_any_folder_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = command(&[("ANNALS_DATA", data.to_str().unwrap()), ("ANNALS_LISTEN", &address)]);
    assert_refuses(&command.output().unwrap(), 4, &format!("{address} is in use"));
    assert!(!data.exists());
}

#[test]
fn a_folder_that_another_process_has_is_refused_with_its_holder() {
    let data = tempfile::tempdir().unwrap();
    let (holder, url) = start(data.path());
    let data = data.path().to_str().unwrap();
    let mut command = command(&[("ANNALS_DATA", data), ("ANNALS_LISTEN", "127.0.0.1:0")]);
    assert_refuses(&command.output().unwrap(), 5, &url);
    holder.stop().unwrap();
}

#[test]
fn a_key_that_nobody_takes_is_a_wrong_configuration() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let own = [("ANNALS_DATA", data), ("ANNALS_LISTEN", "127.0.0.1:0"), ("ANNALS_MAIL__URL", "x")];
    assert_refuses(&command(&own).output().unwrap(), 2, "mail");
}

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let data_variable = ("ANNALS_DATA", data.to_str().unwrap());
    let listen = ("ANNALS_LISTEN", "127.0.0.1:0");
    let checked = command(&[data_variable, listen]).arg("--check").output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let more = [data_variable, listen, ("ANNALS_READ_MODEL__CUSTOMER_VALUES__SNAPSHOT_EVERY", "10")];
    let refused = command(&more).arg("--check").output().unwrap();
    assert_refuses(&refused, 2, "customer_value");
    assert!(!data.exists());
}

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
