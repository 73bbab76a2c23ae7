//! A store that another process serves, and that is not there.

use crate::{assert_refuses, command};
use annals_tests::{Program, Server, lasting_address};
use reqwest::{Response, StatusCode};
use serde_json::Value;

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
    let placed = reqwest::Client::new().post(format!("http://{listen}/orders/1")).json(&order).send().await;
    assert_eq!(placed.unwrap().status(), StatusCode::CREATED);
    orders.stop().unwrap();
    store.stop().unwrap();
}
