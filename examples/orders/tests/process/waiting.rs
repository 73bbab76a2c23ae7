//! A store that another process serves, and that is not there.

use crate::{assert_refuses, command};
use annals_store_grpc::Options;
use annals_tests::{Program, Server, lasting_address};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// Where nobody serves.
fn nowhere() -> String {
    format!("http://{}", lasting_address())
}

async fn until_answered(url: &str) -> Response {
    loop {
        match reqwest::get(url).await {
            Ok(answer) => return answer,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for_and_health_says_so() {
    let (data, store, listen) = (tempfile::tempdir().unwrap(), nowhere(), lasting_address().to_string());
    let data = data.path().to_str().unwrap();
    let variables = [("ANNALS_DATA", data), ("ANNALS_STORE", &store), ("ANNALS_LISTEN", &listen)];
    let server = Server::start(command(&variables)).unwrap();
    let live = until_answered(&format!("http://{listen}/health/live")).await;
    assert_eq!(live.status(), StatusCode::OK);
    let ready = reqwest::get(format!("http://{listen}/health/ready")).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(body["not_ready"][0], "the event store has not been reached yet");
    let customer = reqwest::get(format!("http://{listen}/customers/ann")).await.unwrap();
    assert_eq!(customer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(customer.headers().contains_key("retry-after"));
    server.signal("TERM").unwrap();
    let (status, said) = server.ended().unwrap();
    let said = said.join("\n");
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("the event store cannot be used now; trying again"), "{said}");
    assert!(said.contains(&store), "{said}");
}

#[test]
fn a_check_does_not_wait_for_a_store_that_is_away() {
    let parent = tempfile::tempdir().unwrap();
    let (data, store) = (parent.path().join("data"), nowhere());
    let variables =
        [("ANNALS_DATA", data.to_str().unwrap()), ("ANNALS_STORE", &store), ("ANNALS_LISTEN", "127.0.0.1:0")];
    let checked = command(&variables).arg("--check").output().unwrap();
    assert_refuses(&checked, 3, &format!("the event store at {store} does not answer"));
    assert!(!data.exists());
}

#[tokio::test]
async fn it_serves_once_the_store_is_there() {
    let (data, address, listen) = (tempfile::tempdir().unwrap(), lasting_address(), lasting_address());
    let (own, of_store) = (data.path().join("orders"), data.path().join("store"));
    let (store, listen) = (format!("http://{address}"), listen.to_string());
    let variables =
        [("ANNALS_DATA", own.to_str().unwrap()), ("ANNALS_STORE", &store), ("ANNALS_LISTEN", &listen)];
    let mut orders = Server::start(command(&variables)).unwrap();
    let ready = format!("http://{listen}/health/ready");
    assert_eq!(until_answered(&ready).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let arguments = ["--data", of_store.to_str().unwrap(), "--listen", &address.to_string()];
    let store = Program::build("annals-event-store").unwrap().serve(&arguments).unwrap();
    assert_eq!(orders.line("listening on http://").unwrap(), listen);
    while reqwest::get(&ready).await.unwrap().status() != StatusCode::OK {
        tokio::task::yield_now().await;
    }
    let order = serde_json::json!({ "customer": "ann", "cents": 5 });
    let placed = Client::new().post(format!("http://{listen}/orders/1")).json(&order).send().await;
    assert_eq!(placed.unwrap().status(), StatusCode::CREATED);
    orders.stop().unwrap();
    store.stop().unwrap();
}

/// What the service answers to an order within this time.
async fn placed(url: &str, order: &str, time_max: Duration) -> Response {
    let order = Client::new().post(format!("{url}/orders/{order}"));
    let placing = order.json(&json!({ "customer": "ann", "cents": 5 })).send();
    timeout(time_max, placing).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_request_is_refused_at_the_deadline_of_a_store_that_was_killed() {
    let data = tempfile::tempdir().unwrap();
    let folder = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
    let arguments = ["--data", &folder("store"), "--listen", "127.0.0.1:0"];
    let mut store = Program::build("annals-event-store").unwrap().serve(&arguments).unwrap();
    let store_url = store.line("listening on ").unwrap();
    let by_default = Duration::from_millis(Options::CALL_MS_MAX_DEFAULT);
    let mut services = Vec::new();
    for (call, time_max) in [("", by_default * 2), ("200ms", by_default / 2)] {
        let (own, listen) = (folder(&format!("orders-{call}")), ("ANNALS_LISTEN", "127.0.0.1:0"));
        let variables = [
            ("ANNALS_DATA", own.as_str()),
            listen,
            ("ANNALS_STORE", &store_url),
            ("ANNALS_STORE__CALL", call),
        ];
        let mut service = Server::start(command(&variables)).unwrap();
        let url = service.line("listening on ").unwrap();
        assert_eq!(placed(&url, &format!("1{call}"), Duration::MAX).await.status(), StatusCode::CREATED);
        services.push((service, url, time_max));
    }
    store.signal("KILL").unwrap();
    store.ended().unwrap();
    for (service, url, time_max) in services {
        let refused = placed(&url, "2", time_max).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key("retry-after"));
        service.stop().unwrap();
    }
}
