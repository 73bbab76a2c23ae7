//! What the shop's health says of each consumer, whatever that does.
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

use reqwest::StatusCode;
use serde_json::{Value, json};
use support::processes::StoreProcess;
use support::{CONSUMERS, TestShop, consumer, order, poison, reason};

/// Health, as soon as it is as wanted.
async fn health(shop: &TestShop, wanted: impl Fn(&Value) -> bool) -> Value {
    shop.get_until("/health", |answer| wanted(&answer.body)).await.body
}

fn consumers(health: &Value) -> impl Iterator<Item = &Value> {
    CONSUMERS.into_iter().map(|name| consumer(health, name))
}

fn all(health: &Value, wanted: impl Fn(&Value) -> bool) -> bool {
    consumers(health).all(wanted)
}

fn stopped(health: &Value) -> usize {
    consumers(health).filter(|consumer| consumer["state"] == "stopped").count()
}

/// Whether the consumer is as far behind as the log's head says, and how old what it has not handled is.
fn is_told(consumer: &Value, head: u64) -> bool {
    let behind = head - consumer["at"].as_u64().unwrap();
    consumer["behind"] == behind
        && consumer["stale_for_seconds"].is_null()
        && (behind > 0) == (consumer["age_ms"].as_u64().unwrap() > 0)
}

/// Payments and the three read models have stopped, and their lag grows with the log.
async fn assert_lag_follows_the_log(shop: &TestShop, order_id: &str) {
    health(shop, |health| stopped(health) == 4).await;
    shop.post("/orders", order(order_id, 2_933)).await.assert_ok();
    let head = shop.head().await;
    let told = |health: &Value| health["head"] == head && all(health, |consumer| is_told(consumer, head));
    let health = health(shop, told).await;
    assert_eq!(stopped(&health), 4, "{health:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_of_stopped_consumers_grows_with_the_log_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let shop = TestShop::start(folder.path()).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    shop.settle().await;
    poison(&*shop.store()).await;
    assert_lag_follows_the_log(&shop, "o-2").await;
    assert_lag_follows_the_log(&shop, "o-3").await;
    shop.end().await;

    let shop = TestShop::start(folder.path()).await;
    assert_lag_follows_the_log(&shop, "o-4").await;
    shop.end().await;
}

/// How often `part` is in `text`.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_that_stopped_has_a_name_and_its_event_and_cause_once() {
    let folder = tempfile::tempdir().unwrap();
    let shop = TestShop::start(folder.path()).await;
    poison(&*shop.store()).await;
    let health = health(&shop, |health| stopped(health) == 4).await;
    let told = health["degraded"].as_array().unwrap();
    assert_eq!(told.len(), 4, "{health:#}");
    let read_models =
        ["customer_value", "daily_sales", "order_summary"].map(|name| format!("read_model/{name}"));
    for name in &read_models {
        assert_eq!(consumer(&health, name)["state"], "stopped");
        let reason = reason(&health, name);
        assert!(reason.contains("event 1, of category \"order\", cannot be read"), "{name}: {reason}");
    }
    let name = "reactor/payments";
    assert_eq!(consumer(&health, name)["state"], "stopped");
    let reason = reason(&health, name);
    assert_eq!(count(reason, "missing field"), 1, "{name}: {reason}");
    assert_eq!(count(reason, "of stream \"order-poison\""), 1, "{name}: {reason}");
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_every_lag_is_the_last_known_one_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreProcess::start(folder.path());
    let (url, address) = (store.url(), store.address());
    let shop = TestShop::start_on(&url, &folder.path().join("shop")).await;
    poison(&*shop.store()).await;
    assert_lag_follows_the_log(&shop, "o-1").await;
    let before = health(&shop, |health| all(health, |it| it["stale_for_seconds"].is_null())).await;

    store.stop();
    let away = health(&shop, |health| all(health, |it| it["stale_for_seconds"].is_u64())).await;
    let behind = |health: &Value| consumer(health, "reactor/payments")["behind"].clone();
    assert_eq!(behind(&away), behind(&before));
    assert_eq!((stopped(&away), &away["head"]), (4, &Value::Null));

    let store = StoreProcess::start_at(address, folder.path());
    assert_lag_follows_the_log(&shop, "o-2").await;
    shop.end().await;
    store.stop();
}

#[tokio::test]
async fn health_says_why_the_log_takes_no_orders_any_more() {
    let data = tempfile::tempdir().unwrap();
    let shop = TestShop::start(data.path()).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    std::fs::remove_dir_all(data.path().join("log")).unwrap();
    let why = "was deleted or moved away while the log was open";
    // The log looks for its folder every now and then.
    let noticed = |health: &Value| health["not_ready"].to_string().contains(why);
    let health = shop.get_until("/health", |answer| noticed(&answer.body)).await;
    assert_eq!(
        (health.status, &health.body["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("not_ready"))
    );
    shop.post("/orders", order("o-2", 2_933)).await.assert_problem(StatusCode::SERVICE_UNAVAILABLE, why);
    shop.end().await;
}
