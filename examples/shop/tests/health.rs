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

use annals::event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals::store::EventStore;
use annals::store_log::{LogStore, Options as LogOptions};
use annals_event_store::{Options as ServerOptions, Service};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{TestShop, order};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must come. Long enough for a busy machine; nothing is decided by it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one looks.
const POLL: Duration = Duration::from_millis(5);

/// An order that nobody can decode: payments and all read models stop at it.
async fn poison(store: &dyn EventStore) {
    let event = NewEvent::json(EventType::new("order.placed").unwrap(), "{}");
    let stream = StreamName::new("order-poison").unwrap();
    store.append(Append::to(stream, ExpectedVersion::NoStream, vec![event])).await.unwrap();
}

/// Health, as soon as it is as wanted.
async fn health(shop: &TestShop, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut health = Value::Null;
    let looking = async {
        loop {
            health = shop.get("/health").await.body;
            if wanted(&health) {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await.is_ok();
    assert!(found, "{what}: {health:#}");
    health
}

fn consumers(health: &Value) -> impl Iterator<Item = &Value> {
    let kinds = ["reactors", "read_models"].map(|kind| health[kind].as_object().unwrap());
    kinds.into_iter().flat_map(|consumers| consumers.values()).chain([&health["replays"]])
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
    health(shop, "four stop", |health| stopped(health) == 4).await;
    shop.post("/orders", order(order_id, 2_933)).await.assert_ok();
    let head = shop.shop.store.events().head().await.unwrap().last.get();
    let told = |health: &Value| health["head"] == head && all(health, |consumer| is_told(consumer, head));
    let health = health(shop, "the lag is the log's", told).await;
    assert_eq!(stopped(&health), 4, "{health:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_of_stopped_consumers_grows_with_the_log_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let shop = TestShop::start(folder.path()).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    shop.settle().await;
    poison(&*shop.shop.store.events()).await;
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
    poison(&*shop.shop.store.events()).await;
    let health =
        health(&shop, "four stop", |health| health["stopped"].as_object().is_some_and(|it| it.len() == 4))
            .await;
    let told = health["stopped"].as_object().unwrap();
    let names: Vec<_> = told.keys().map(String::as_str).collect();
    let read_models = ["customer_value", "daily_sales", "order_summary"];
    assert_eq!(names[1..], read_models.map(|name| format!("the read model {name}")));
    assert_eq!(names[0], "the reactor of payments");
    for (name, reason) in told {
        let reason = reason.as_str().unwrap();
        assert_eq!(count(reason, "missing field"), 1, "{name}: {reason}");
        assert_eq!(count(reason, "of stream \"order-poison\""), 1, "{name}: {reason}");
    }
    assert_eq!(told["the reactor of payments"], health["reactors"]["payments"]["reason"]);
    shop.end().await;
}

/// An event store that runs elsewhere.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    log: LogStore,
}

impl Server {
    async fn start(folder: &Path, listen: SocketAddr) -> Self {
        let log = LogStore::open(folder, LogOptions::default()).await.unwrap();
        let options = ServerOptions { listen, ..ServerOptions::loopback() };
        let service = Service::bind(options, Arc::new(log.clone())).await.unwrap();
        let (address, stop) = (service.address(), CancellationToken::new());
        let serving = tokio::spawn(service.run(stop.clone()));
        Self { address, stop, serving, log }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.log.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_every_lag_is_the_last_known_one_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (log, data) = (folder.path().join("server"), folder.path().join("shop"));
    let server = Server::start(&log, "127.0.0.1:0".parse().unwrap()).await;
    let url = format!("http://{}", server.address);
    let shop = TestShop::start_with(&data, &["--store", &url]).await;
    poison(&*shop.shop.store.events()).await;
    assert_lag_follows_the_log(&shop, "o-1").await;
    let before =
        health(&shop, "all is told", |health| all(health, |it| it["stale_for_seconds"].is_null())).await;

    let address = server.address;
    server.stop().await;
    let stale = |health: &Value| all(health, |it| it["stale_for_seconds"].is_u64());
    let away = health(&shop, "all are stale", stale).await;
    let payments = |health: &Value| health["reactors"]["payments"].clone();
    assert_eq!(payments(&away)["behind"], payments(&before)["behind"]);
    assert_eq!((stopped(&away), &away["head"]), (4, &Value::Null));

    let server = Server::start(&log, address).await;
    assert_lag_follows_the_log(&shop, "o-2").await;
    shop.end().await;
    server.stop().await;
}
