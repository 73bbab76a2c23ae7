//! Health and the head over plain HTTP, on the port that also speaks gRPC.

use crate::support::{Server, one_event};
use annals_event_store::{Options, ServeError, Service};
use annals_service::BindError;
use annals_store::{EventStore, GappedStore, Layer};
use serde_json::{Value, json};
use std::sync::Arc;

async fn get(server: &Server, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("{}{path}", server.url())).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn health_and_head_are_answered() {
    let store = GappedStore::new();
    let receipt = store.append(one_event("a")).await.unwrap();
    let server = Server::start(Arc::new(store.clone())).await;
    assert_eq!(get(&server, "/health").await, (200, json!({ "status": "ready" })));
    assert_eq!(get(&server, "/health/ready").await, (200, json!({ "status": "ready" })));
    assert_eq!(get(&server, "/health/live").await, (200, json!({ "status": "live" })));
    let head = store.head().await.unwrap();
    let first = receipt.events.unwrap().first.get();
    let body = json!({ "log_id": head.log_id.to_string(), "first": first, "last": receipt.head.get() });
    assert_eq!(get(&server, "/v1/head").await, (200, body));
}

/// A store that accepts appends, but warns that it refuses some of them.
struct Warning(GappedStore);

#[async_trait::async_trait]
impl Layer for Warning {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }
    fn warnings(&self) -> Vec<String> {
        vec!["the clock jumped".into()]
    }
}

#[tokio::test]
async fn what_some_appends_are_refused_for_is_in_health() {
    let server = Server::start(Arc::new(Warning(GappedStore::new()))).await;
    let body = json!({ "status": "ready", "warnings": ["the clock jumped"] });
    assert_eq!(get(&server, "/health").await, (200, body));
}

#[tokio::test]
async fn a_page_that_is_not_there_is_a_problem_that_says_what_is() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let (status, body) = get(&server, "/nothing").await;
    assert_eq!((status, &body["status"]), (404, &json!(404)));
    assert!(body["detail"].as_str().unwrap().contains("/health"), "{body}");
}

#[tokio::test]
async fn a_method_that_a_page_does_not_have_is_a_problem_that_says_which_it_has() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let answer = reqwest::Client::new().post(format!("{}/health", server.url())).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 405);
    assert_eq!(answer.headers()["allow"], "GET,HEAD");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], 405);
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_sentence() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let options = Options { listen: server.address, ..Options::loopback() };
    let error = Service::bind(options, Arc::new(GappedStore::new())).await.err().unwrap();
    assert!(matches!(error, ServeError::Bind(BindError::InUse { .. })));
    let expected = format!("{} is in use by another process; stop it, or listen elsewhere", server.address);
    assert_eq!(error.to_string(), expected);
}
