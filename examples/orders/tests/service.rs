//! The whole service in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals::aggregate::Cause;
use annals::service::{Answer, Config, Service, TestService};
use annals::testing::given_reactor;
use annals_orders::{Order, OrderCommand, OrderPlaced, PaymentCaptured, build, follow_payments};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use std::{fs, time::Duration};

/// What payments appends.
async fn capture(service: &TestService, order: &str) {
    service.append(&format!("payment-{order}"), PaymentCaptured { order: order.to_owned() }).await;
}

#[test]
fn an_order_is_told_to_be_paid_once_its_money_is_here() {
    given_reactor(follow_payments().unwrap())
        .event("order-1", OrderPlaced { customer: "ann".into(), cents: 1_200 })
        .event("payment-1", PaymentCaptured { order: "1".into() })
        .then_tells::<Order>("1", |command| matches!(command, OrderCommand::Pay))
        .then_nothing();
}

#[tokio::test]
async fn two_reactors_of_one_name_are_refused_at_the_start() {
    let twice = async |service| Ok(build(service).await?.reactor(follow_payments()?));
    let error = TestService::start(twice).await.err().unwrap();
    assert!(error.to_string().contains("two reactors are named \"orders\""), "{error}");
}

#[tokio::test]
async fn an_order_is_placed_paid_and_counted() {
    let service = TestService::start(build).await.unwrap();
    let placed = service.post("/orders/1", &json!({ "customer": "ann", "cents": 1_200 })).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    let token = placed.body["token"].as_u64().unwrap();
    assert_eq!(placed.headers["annals-token"], token.to_string());
    let ann = service.get(&format!("/customers/ann?wait_for={token}")).await;
    assert_eq!(ann.body, json!({ "customer": "ann", "orders": 1, "paid_cents": 0 }));
    capture(&service, "1").await;
    service.idle().await;
    let ann = service.get("/customers/ann").await;
    assert_eq!(ann.body, json!({ "customer": "ann", "orders": 1, "paid_cents": 1_200 }));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_repeat_of_a_request_is_recognised_by_its_key() {
    let service = TestService::start(build).await.unwrap();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let request = Request::post("/orders/1").header("content-type", "application/json");
        let request =
            request.header("idempotency-key", "abc").body(Body::from(r#"{"customer":"ann","cents":5}"#));
        let answer = service.oneshot(request.unwrap()).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        tokens.push(answer.headers()["annals-token"].clone());
    }
    assert_eq!(tokens[0], tokens[1]);
    let request = Request::post("/orders/1").header("content-type", "application/json");
    let request =
        request.header("idempotency-key", "abc").body(Body::from(r#"{"customer":"bob","cents":5}"#));
    let other = service.oneshot(request.unwrap()).await;
    assert_eq!(other.status(), StatusCode::CONFLICT, "the same key with another order");
}

#[tokio::test]
async fn refusals_say_what_to_change() {
    let service = TestService::start(build).await.unwrap();
    for (answer, status, said) in [
        (service.get("/customers/ann").await, StatusCode::NOT_FOUND, "customer ann never ordered"),
        (service.get("/customers").await, StatusCode::NOT_FOUND, "GET /_annals/v1 lists"),
        (
            service.get("/customers/ann?wait_for=x").await,
            StatusCode::BAD_REQUEST,
            "`wait_for` must be the token",
        ),
        (
            service.get("/customers/ann?wait_for=99").await,
            StatusCode::BAD_REQUEST,
            "was never given as a token",
        ),
        (
            service.post("/orders/1", &json!({ "cents": 1 })).await,
            StatusCode::UNPROCESSABLE_ENTITY,
            "`customer`",
        ),
        (
            service.post("/orders/1", &json!({ "customer": "", "cents": 1 })).await,
            StatusCode::UNPROCESSABLE_ENTITY,
            "an order is of a customer",
        ),
        (
            service.post("/orders/1", &json!({ "customer": "ann\nbob", "cents": 1 })).await,
            StatusCode::UNPROCESSABLE_ENTITY,
            "tag \"customer\": tag has the control character",
        ),
        (
            service.post("/orders/1", &json!({ "customer": "a".repeat(250), "cents": 1 })).await,
            StatusCode::UNPROCESSABLE_ENTITY,
            "tag has 259 bytes",
        ),
        (service.get("/_annals/v1/nothing").await, StatusCode::NOT_FOUND, "GET /_annals/v1 lists"),
    ] {
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(said), "{}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_replay_is_asked_for_below_the_platforms_path() {
    let service = TestService::start(build).await.unwrap();
    service.post("/orders/1", &json!({ "customer": "ann", "cents": 1_200 })).await;
    let asked =
        service.post("/_annals/v1/replays", &json!({ "read_model": "customer_value", "mode": "plan" })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    let place = asked.headers["location"].to_str().unwrap();
    assert_eq!(place, format!("/_annals/v1/replays/{}", asked.body["id"].as_str().unwrap()));
    let replay = service.get(place).await;
    assert_eq!((replay.status, &replay.body["read_model"]), (StatusCode::OK, &json!("customer_value")));
    service.idle().await;
    let consumers = &service.get("/_annals/v1/health").await.body["consumers"];
    assert_eq!(consumers["reactor"]["orders"]["state"], "running");
    assert_eq!(consumers["read_model"]["customer_value"]["state"], "running");
}

/// What the service says once its health is like that.
async fn until_health(service: &TestService, status: &str) -> Answer {
    loop {
        let health = service.get("/health/ready").await;
        if health.body["status"] == status {
            return health;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_is_ready_once_caught_up_and_degraded_when_a_consumer_stops() {
    let service = TestService::start(build).await.unwrap();
    assert_eq!(until_health(&service, "ok").await.status, StatusCode::OK);
    assert_eq!(service.get("/health/live").await.status, StatusCode::OK);
    // There is no such order, so the reactor stops at what payments says of it.
    capture(&service, "none").await;
    let degraded = until_health(&service, "degraded").await;
    assert_eq!(degraded.status, StatusCode::OK, "the rest serves on");
    let reason = degraded.body["degraded"][0].as_str().unwrap();
    assert!(reason.contains("orders: stopped") && reason.contains("there is no such order"), "{reason}");
    let metrics = service.oneshot(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(metrics.status(), StatusCode::OK);
    let placed = service.post("/orders/1", &json!({ "customer": "ann", "cents": 1_200 })).await;
    assert_eq!(placed.status, StatusCode::CREATED);
}

#[tokio::test]
async fn snapshots_of_read_models_are_in_the_folder_that_is_configured() {
    let data = tempfile::tempdir().unwrap();
    let snapshots = data.path().join("elsewhere");
    let toml = format!(
        "listen = '127.0.0.1:0'\ndata = {:?}\nread_models.snapshots = {snapshots:?}\nread_model.customer_value.snapshot_every = 1",
        data.path(),
    );
    let config = Config::from_toml(&toml).unwrap();
    let running = Service::start(config, build).await.unwrap();
    let order = OrderPlaced { customer: "ann".into(), cents: 5 };
    running.app().execute::<Order>("1", OrderCommand::Place(order), Cause::new()).await.unwrap();
    let kept = snapshots.join("read-models/customer_value");
    while fs::read_dir(&kept).map_or(0, Iterator::count) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.stop().await.unwrap();
    assert!(!data.path().join("read-models/snapshots").exists());
}
