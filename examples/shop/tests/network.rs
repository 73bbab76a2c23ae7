//! The shop on an event store that runs elsewhere, and its traces across HTTP.
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

use annals::event::{EventId, StreamName};
use annals::store::{EventStore, ReadStream};
use annals_store::causes::CauseTree;
use annals_tests::Program;
use reqwest::{Client, StatusCode};
use serde_json::json;
use support::processes::{ORDERS, PAYMENTS, SHIPPING, SHOP, ShopProcess, StoreProcess};
use support::{Answer, CONSUMERS, TestShop, consumer, order, reason};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The first event of a stream.
async fn first_of(store: &dyn EventStore, stream: &str) -> EventId {
    let page = store.read_stream(ReadStream::forward(StreamName::new(stream).unwrap())).await.unwrap();
    page.events.first().unwrap().id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_on_a_remote_store_works_and_requests_and_events_share_a_trace() {
    let telemetry = annals_telemetry::init(annals_telemetry::Options::new("test")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = StoreProcess::start(folder.path());
    let shop = TestShop::start_on(&server.url(), &folder.path().join("shop")).await;
    let request = Client::builder().no_proxy().build().unwrap().post(format!("{}/orders", shop.url()));
    let traced = request.header("traceparent", format!("00-{TRACE_ID}-00f067aa0ba902b7-01"));
    let placed = traced.json(&order("o-1", 2_933)).send().await.unwrap();
    assert!(placed.status().is_success());
    shop.settle().await;
    let summary = shop.get("/orders/o-1").await;
    assert_eq!(summary.assert_ok()["parcel"], "shipped");

    let store = shop.store();
    let tree = CauseTree::of_event(&*store, first_of(&*store, "order-o-1").await).await.unwrap();
    assert_eq!((tree.events().len(), tree.services()), (7, vec!["orders", "payments", "shipping"]));
    let [placed, effects @ ..] = tree.events() else { panic!("the tree is empty") };
    assert_eq!(placed.trace_id.as_deref(), Some(TRACE_ID));
    for effect in effects {
        let of_its_own = effect.trace_id.as_deref().is_some_and(|id| id != TRACE_ID);
        assert!(of_its_own, "{} is linked, never parented", effect.event_type);
    }
    shop.stop().await;
    server.stop();
    telemetry.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_on_one_event_store_are_one_shop() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreProcess::start(folder.path());
    let url = store.url();
    let start = |program, name: &str| ShopProcess::of(program, &folder.path().join(name), &["--store", &url]);
    let (orders, payments, shipping) =
        (start(ORDERS, "orders"), start(PAYMENTS, "payments"), start(SHIPPING, "shipping"));
    orders.post("/orders", order("o-1", 2_933)).await.assert_ok();
    let done = |answer: &Answer| answer.body["payment"] == "paid" && answer.body["parcel"] == "shipped";
    orders.get_until("/orders/o-1", done).await;
    payments.post("/payments/o-1/refund", json!(null)).await.assert_ok();
    shipping.post("/shipments/o-1/delivery", json!(null)).await.assert_ok();
    let done = |answer: &Answer| answer.body["payment"] == "refunded" && answer.body["parcel"] == "delivered";
    orders.get_until("/orders/o-1", done).await;
    orders.get("/payments/o-1").await.assert_problem(StatusCode::NOT_FOUND, "/payments/o-1");
    let client = store.client().await;
    let tree = CauseTree::of_event(&client, first_of(&client, "order-o-1").await).await.unwrap();
    assert_eq!(tree.services(), ["orders", "payments", "shipping"]);
    [orders, payments, shipping].into_iter().for_each(ShopProcess::stop);
    store.stop();
}

#[test]
fn the_configuration_that_comes_with_orders_can_be_used() {
    let arguments = ["--check", "--config", "orders.toml", "--listen", "127.0.0.1:0"];
    for program in [ORDERS, SHOP] {
        let checked = Program::at(program).run(&arguments).unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_health_says_so_and_commands_meet_deadlines() {
    let folder = tempfile::tempdir().unwrap();
    let server = StoreProcess::start(folder.path());
    let shop = TestShop::start_on(&server.url(), &folder.path().join("shop")).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    shop.settle().await;
    server.stop();

    let all_retry =
        |answer: &Answer| CONSUMERS.iter().all(|name| consumer(&answer.body, name)["state"] == "retrying");
    let health = shop.get_until("/health", all_retry).await;
    assert_eq!((health.status, &health.body["status"]), (StatusCode::OK, &json!("degraded")));
    let told = health.body["degraded"].to_string();
    assert!(told.contains("the event store cannot be used now"), "{told}");
    let request = Client::builder().no_proxy().build().unwrap().post(format!("{}/orders", shop.url()));
    let late = request.header("prefer", "wait=1").json(&order("o-2", 100)).send().await.unwrap();
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(late.headers()["content-type"], "application/problem+json");
    shop.get("/orders/o-1").await.assert_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_store_and_its_end_are_told_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreProcess::start(folder.path());
    let address = store.address();
    let shop = ShopProcess::start_on(&store, folder.path());
    shop.settle().await;
    store.stop();
    let all_are = |state: &'static str| {
        move |answer: &Answer| CONSUMERS.iter().all(|name| consumer(&answer.body, name)["state"] == state)
    };
    shop.get_until("/health", all_are("retrying")).await;
    let store = StoreProcess::start_at(address, folder.path());
    shop.get_until("/health", all_are("running")).await;
    let told = shop.stop_and_tell();
    let count = |due: &str| told.iter().filter(|line| line.contains(due)).count();
    assert_eq!((count("cannot be used now"), count("can be used again")), (1, 1), "{told:#?}");
    store.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_another_log_are_told_and_refused_orders_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let first = StoreProcess::start(&folder.path().join("first"));
    let (url, address, data) = (first.url(), first.address(), folder.path().join("shop"));
    let shop = TestShop::start_on(&url, &data).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    shop.settle().await;
    first.stop();
    let second = StoreProcess::start_at(address, &folder.path().join("second"));
    let refused = shop.post("/orders", order("o-2", 100)).await;
    refused.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "holds log");
    shop.end().await;

    let shop = TestShop::start_on(&url, &data).await;
    let read_models = || CONSUMERS.into_iter().filter(|name| name.starts_with("read_model/"));
    let is_told =
        |answer: &Answer| read_models().all(|name| consumer(&answer.body, name)["state"] == "other_history");
    let health = shop.get_until("/health", is_told).await;
    read_models().for_each(|name| assert!(reason(&health.body, name).contains("replay"), "{}", health.body));
    shop.get("/orders/o-1").await.assert_ok();
    shop.post("/orders", order("o-2", 100)).await.assert_ok();
    shop.end().await;
    second.stop();
}
