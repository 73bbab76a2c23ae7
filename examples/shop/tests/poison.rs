//! A stored event that a part of the shop cannot handle stops that part, which health says. All others go on, at this start
//! and at the next.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use annals::event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals::replay::ReplayId;
use annals::store::EventStore;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use support::processes::{ShopProcess, StoreProcess};
use support::{Answer, CONSUMERS, Http, TestShop, consumer, is_at_head, order, reason};

/// An event that cannot be handled, and the parts that must handle it.
struct Poison {
    stream: String,
    event_type: &'static str,
    version: u32,
    payload: &'static str,
    stops: &'static [&'static str],
}

/// The parts that want `order.placed`, `order.refunded` and `payment.captured`.
const PLACED: &[&str] =
    &["reactor/payments", "read_model/customer_value", "read_model/daily_sales", "read_model/order_summary"];
const REFUNDED: &[&str] =
    &["read_model/customer_value", "read_model/daily_sales", "read_model/order_summary"];
const CAPTURED: &[&str] = &["reactor/orders", "reactor/shipping"];

fn poisons() -> Vec<Poison> {
    let replay = || format!("$replay-{}", ReplayId::generate());
    let poison = |stream: String, event_type, version, payload, stops| Poison {
        stream,
        event_type,
        version,
        payload,
        stops,
    };
    // An order of nothing is odd, and no poison: payments have their own answer to it.
    let free =
        r#"{"order_id":"o-free","customer_id":"0001","ordered_on":"1997-01-18","items":1,"total_cents":0}"#;
    vec![
        poison("order-poison".into(), "order.placed", 1, "no JSON", PLACED),
        poison("order-poison".into(), "order.placed", 1, "{}", PLACED),
        poison("order-poison".into(), "order.placed", 2, "{}", PLACED),
        poison("order-poison".into(), "order.placed", 99, free, PLACED),
        poison("order-poison".into(), "order.refunded", 1, "{}", REFUNDED),
        poison("order-poison".into(), "order.unheard_of", 1, "{}", &[]),
        poison("payment-poison".into(), "payment.captured", 1, "no JSON", CAPTURED),
        poison("payment-poison".into(), "payment.captured", 1, r#"{"nope":1}"#, CAPTURED),
        poison("payment-poison".into(), "payment.captured", 2, "{}", CAPTURED),
        poison("shipment-poison".into(), "shipment.dispatched", 1, "{}", &["reactor/orders"]),
        poison("order-o-free".into(), "order.placed", 1, free, &[]),
        poison(replay(), "replay.requested", 1, "{}", &[]),
        poison(replay(), "replay.cancelled", 2, "{}", &[]),
        poison(replay(), "replay.unheard_of", 1, "{}", &[]),
    ]
}

/// The parts that have stopped, once all others have handled the whole log.
async fn stopped(shop: &Http) -> (Value, BTreeSet<&'static str>) {
    let has_stopped =
        |health: &Value, name: &str| consumer(health, name)["state"].as_str().unwrap() == "stopped";
    let settled = |answer: &Answer| {
        let health = &answer.body;
        CONSUMERS.iter().all(|name| has_stopped(health, name) || is_at_head(health, name))
    };
    let Answer { status, body: health, .. } = shop.get_until("/health", settled).await;
    assert_eq!(status, StatusCode::OK, "whatever stopped, requests are answered: {health}");
    let stopped = CONSUMERS.into_iter().filter(|name| has_stopped(&health, name));
    let stopped: BTreeSet<_> = stopped
        .inspect(|name| {
            let reason = reason(&health, name);
            assert!(reason.contains("event"), "{name}: {reason}");
        })
        .collect();
    (health["status"].clone(), stopped)
}

async fn append(events: &dyn EventStore, poison: &Poison) {
    let event = NewEvent::json(EventType::new(poison.event_type).unwrap(), poison.payload);
    let event = NewEvent { schema_version: poison.version, ..event };
    let stream = StreamName::new(poison.stream.clone()).unwrap();
    events.append(Append::to(stream, ExpectedVersion::Any, vec![event])).await.unwrap();
}

/// Commands are executed, replays are listed, and whatever did not stop has what the command led to.
async fn assert_goes_on(shop: &Http, order_id: &str, poison: &Poison) {
    let what = format!("{} {} {}", poison.event_type, poison.version, poison.payload);
    let placed = shop.post("/orders", order(order_id, 2_933)).await;
    placed.assert_ok();
    let (status, stopped) = stopped(shop).await;
    assert_eq!(stopped, poison.stops.iter().copied().collect(), "{what}");
    assert_eq!(status == "ok", poison.stops.is_empty(), "health says so: {what}");
    shop.get("/_annals/v1/replays").await.assert_ok();
    if !poison.stops.contains(&"reactor/payments") {
        shop.get(&format!("/payments/{order_id}")).await.assert_ok();
    }
}

/// The shop is well, and then there is the event.
async fn meets(shop: &Http, events: &dyn EventStore, poison: &Poison) {
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    assert_eq!(stopped(shop).await, (json!("ok"), BTreeSet::new()));
    append(events, poison).await;
    assert_goes_on(shop, "o-2", poison).await;
}

/// The shop was started on a log that has the event.
async fn meets_again(shop: &Http, poison: &Poison) {
    assert_goes_on(shop, "o-3", poison).await;
    if poison.stream.starts_with("$replay-") {
        let listed = shop.get("/_annals/v1/replays").await;
        let mut replays = listed.assert_ok().as_array().unwrap().iter();
        assert!(replays.any(|replay| replay["phase"] == json!("unreadable")), "{}", listed.body);
    }
}

async fn meets_embedded(data: &Path, poison: &Poison) {
    let shop = TestShop::start(data).await;
    meets(&shop, &*shop.store(), poison).await;
    shop.end().await;
    let shop = TestShop::start(data).await;
    meets_again(&shop, poison).await;
    shop.end().await;
}

async fn meets_over_grpc(folder: &Path, poison: &Poison) {
    let store = StoreProcess::start(folder);
    let shop = ShopProcess::start_on(&store, folder);
    meets(&shop, &store.client().await, poison).await;
    shop.stop();
    let shop = ShopProcess::start_on(&store, folder);
    meets_again(&shop, poison).await;
    shop.stop();
    store.stop();
}

/// Each poison event, on a log of its own.
async fn each(meets: impl AsyncFn(&Path, &Poison)) {
    let poisons = poisons();
    for poison in &poisons {
        let folder = tempfile::tempdir().unwrap();
        meets(folder.path(), poison).await;
    }
    println!("{} poison events at the {} consumers of a shop judged", poisons.len(), CONSUMERS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_stops_only_the_parts_of_the_shop_that_must_handle_it() {
    each(meets_embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_stops_no_other_part_of_a_shop_whose_store_is_elsewhere() {
    each(meets_over_grpc).await;
}
