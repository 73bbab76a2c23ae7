//! The API as a client sees it, over a real socket.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_replay::{ReplayId, Replays};
use annals_replay_controller::{health, routes};
use annals_service::{Config, HttpServer, metrics::Metrics, store::OpenStore};
use annals_store::{EventStore, GappedStore, Layer, ReadError, Subscribe, Subscription};
use async_trait::async_trait;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};

struct Controller {
    address: String,
    client: Client,
    _shutdown: DropGuard,
}

impl Controller {
    /// On a log of ten events.
    async fn start() -> Self {
        let store = GappedStore::new();
        let stream = StreamName::new("order-1").unwrap();
        let placed = || NewEvent::json(EventType::new("order.placed").unwrap(), "{}");
        let events = std::iter::repeat_with(placed).take(10).collect();
        store.append(Append::to(stream, ExpectedVersion::NoStream, events)).await.unwrap();
        Self::on(store).await
    }

    async fn on(store: impl EventStore) -> Self {
        let (store, shutdown) = (OpenStore::elsewhere(store), CancellationToken::new());
        let replays = Replays::new(store.events().clone());
        let config = Config::from_toml("listen = '127.0.0.1:0'").unwrap();
        let bound = HttpServer::bind(config.listen, config.http.limits.clone()).await.unwrap();
        let address = format!("http://{}", bound.address());
        let (following, stop) = (replays.clone(), shutdown.clone());
        tokio::spawn(async move { following.run(stop).await });
        let health = health(&store, &replays, shutdown.clone());
        let metrics = Metrics::of(&health);
        metrics.tell_answered(bound.answered());
        tokio::spawn(bound.serve(routes(&replays, &health, &metrics, &config), shutdown.clone()));
        Self { address, client: Client::new(), _shutdown: shutdown.drop_guard() }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, String, Value) {
        let request = self.client.request(method, format!("{}{path}", self.address));
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let content_type = headers.get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
        (status, content_type, response.json().await.unwrap_or(Value::Null))
    }
    async fn get(&self, path: &str) -> (StatusCode, String, Value) {
        self.send(Method::GET, path, None).await
    }
    async fn post(&self, path: &str, body: Value) -> (StatusCode, String, Value) {
        self.send(Method::POST, path, Some(body)).await
    }
}

#[tokio::test]
async fn a_replay_is_requested_once_listed_and_cancelled() {
    let controller = Controller::start().await;
    let id = ReplayId::generate().to_string();
    let body = json!({ "id": id, "read_model": "customers", "from": 7, "mode": "build" });
    for _ in 0..2 {
        let (status, _, replay) = controller.post("/replays", body.clone()).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(
            (&replay["id"], &replay["phase"], &replay["from"]),
            (&json!(id), &json!("requested"), &json!(7))
        );
    }
    let is_followed = |list: &Value| list[0]["since"].is_number();
    let listed = until(&controller, "/replays", is_followed).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(listed[0]["waiting"].as_str().unwrap().starts_with("no worker has taken it up"), "{listed}");
    let (status, _, replay) = controller.post(&format!("/replays/{id}/cancel"), json!({})).await;
    assert_eq!((status, &replay["phase"]), (StatusCode::OK, &json!("cancelled")));
}

#[tokio::test]
async fn the_list_begins_with_the_replay_that_changed_last_whatever_its_id() {
    let controller = Controller::start().await;
    let ids = ["ffffffff-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000000"];
    let listed = async |first: &str| {
        let is_first = |list: &Value| {
            list[0]["id"] == first && list.as_array().unwrap().iter().all(|one| one["since"].is_number())
        };
        until(&controller, "/replays", is_first).await
    };
    for id in ids {
        controller.post("/replays", json!({ "id": id, "read_model": "customers" })).await;
        listed(id).await;
    }
    controller.post(&format!("/replays/{}/cancel", ids[0]), json!({})).await;
    let list = listed(ids[0]).await;
    assert_eq!((list.as_array().unwrap().len(), &list[1]["id"]), (2, &json!(ids[1])));
}

#[tokio::test]
async fn what_is_not_possible_is_refused_with_what_is() {
    let controller = Controller::start().await;
    let unknown = ReplayId::generate();
    let requested = controller.post("/replays", json!({ "read_model": "customers" })).await.2;
    let id = requested["id"].as_str().unwrap();
    for (path, body, expected) in [
        ("/replays".to_owned(), json!({ "read_model": "" }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/replays".to_owned(), json!({ "read_model": "\0" }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/replays".to_owned(), json!({ "read_model": "a".repeat(300) }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/replays".to_owned(), json!({ "read_model": "a", "from": 0 }), StatusCode::UNPROCESSABLE_ENTITY),
        (
            "/replays".to_owned(),
            json!({ "read_model": "a", "from": u64::MAX }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("/replays".to_owned(), json!({ "read_model": "a", "frm": 1 }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/replays".to_owned(), json!({ "id": "7", "read_model": "a" }), StatusCode::BAD_REQUEST),
        ("/replays".to_owned(), json!({ "id": id, "read_model": "other" }), StatusCode::CONFLICT),
        (format!("/replays/{unknown}/promote"), json!({}), StatusCode::NOT_FOUND),
        (format!("/replays/{id}/promote"), json!({}), StatusCode::CONFLICT),
        (format!("/replays/{id}/rollback"), json!({}), StatusCode::CONFLICT),
        ("/replays/7/cancel".to_owned(), json!({}), StatusCode::BAD_REQUEST),
    ] {
        let (status, content_type, problem) = controller.post(&path, body).await;
        assert_eq!(
            (status, content_type.as_str()),
            (expected, "application/problem+json"),
            "{path} {problem}"
        );
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    let (status, _, problem) = controller.get(&format!("/replays/{unknown}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(problem["detail"].as_str().unwrap().contains("GET /replays"));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let controller = Controller::start().await;
    for (method, path, expected) in [
        (Method::GET, "/nothing", StatusCode::NOT_FOUND),
        (Method::DELETE, "/replays", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (status, content_type, problem) = controller.send(method, path, None).await;
        assert_eq!(
            (status, content_type.as_str()),
            (expected, "application/problem+json"),
            "{path} {problem}"
        );
    }
    assert_eq!(controller.get("/health").await.0, StatusCode::OK);
}

#[tokio::test]
async fn health_says_that_the_store_cannot_be_used_and_why() {
    let controller = Controller::on(NotReady(GappedStore::new())).await;
    let reason = "the event store cannot be used now: the disk is full";
    let told = until(&controller, "/health/ready", |body| body["degraded"] == json!([reason])).await;
    assert_eq!(told["status"], "degraded", "{told}");
    assert_eq!(controller.get("/health/live").await.2, json!({ "status": "live" }));
}

#[tokio::test]
async fn health_is_not_ready_while_the_replays_are_not_followed() {
    let controller = Controller::on(Away(GappedStore::new())).await;
    let told = until(&controller, "/health", |body| body["not_ready"].is_array()).await;
    let reason = told["not_ready"][0].as_str().unwrap();
    assert!(reason.starts_with("the replays: they are not followed: ") && reason.contains("away"), "{told}");
    assert_eq!(controller.get("/health").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_the_platform_answers_everywhere_is_answered_here_too() {
    let controller = Controller::start().await;
    let (status, _, replay) =
        controller.post("/_annals/v1/replays", json!({ "read_model": "customers" })).await;
    assert_eq!((status, &replay["phase"]), (StatusCode::ACCEPTED, &json!("requested")));
    assert_eq!(controller.get("/_annals/v1/health").await.0, StatusCode::OK);
    assert_eq!(controller.get("/nowhere").await.0, StatusCode::NOT_FOUND);
    let metrics = controller.client.get(format!("{}/metrics", controller.address)).send().await.unwrap();
    let text = metrics.text().await.unwrap();
    assert!(text.contains(r#"annals_consumer_position{kind="other",name="replays"}"#), "{text}");
    assert!(text.contains(r#"annals_http_requests_total{status="404"} 1"#), "{text}");
}

/// A store that answers reads and accepts no appends.
struct NotReady(GappedStore);

#[async_trait]
impl Layer for NotReady {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }
    async fn ready(&self) -> Result<(), ReadError> {
        Err(ReadError::Unavailable { reason: "the disk is full".to_owned() })
    }
}

/// A store that delivers nothing.
struct Away(GappedStore);

#[async_trait]
impl Layer for Away {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }
    async fn subscribe(&self, _: Subscribe) -> Result<Subscription, ReadError> {
        Err(ReadError::Unavailable { reason: "away".to_owned() })
    }
}

/// Waits until a client gets what is wanted at `path`.
async fn until(controller: &Controller, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let found = controller.get(path).await.2;
            if wanted(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap()
}

#[tokio::test]
async fn an_unreadable_replay_is_listed_with_its_reason_and_refuses_commands() {
    let store = GappedStore::new();
    let id = ReplayId::generate();
    let stream = StreamName::of("$replay", &id.to_string()).unwrap();
    let poison = NewEvent::json(EventType::new("replay.requested").unwrap(), "{}");
    store.append(Append::to(stream, ExpectedVersion::NoStream, vec![poison])).await.unwrap();
    let controller = Controller::on(store).await;
    let listed =
        until(&controller, "/replays", |list| list.as_array().is_some_and(|list| !list.is_empty())).await;
    assert_eq!((&listed[0]["id"], &listed[0]["phase"]), (&json!(id), &json!("unreadable")));
    assert!(listed[0]["unreadable"].as_str().unwrap().contains("version 1"), "{listed}");
    assert_eq!(controller.get(&format!("/replays/{id}")).await.0, StatusCode::OK);
    for action in ["promote", "cancel", "rollback", "retire"] {
        let (status, content_type, problem) =
            controller.post(&format!("/replays/{id}/{action}"), json!({})).await;
        assert_eq!((status, content_type.as_str()), (StatusCode::CONFLICT, "application/problem+json"));
        assert!(problem["detail"].as_str().unwrap().contains("cannot be read by this release"), "{problem}");
    }
    // The others go on.
    let (status, _, replay) = controller.post("/replays", json!({ "read_model": "customers" })).await;
    assert_eq!((status, &replay["phase"]), (StatusCode::ACCEPTED, &json!("requested")));
    assert_eq!(controller.get("/health").await.0, StatusCode::OK);
}
