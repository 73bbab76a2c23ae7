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
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use support::{TestShop, order};

/// How long a test waits for what must come. Long enough for a busy machine; nothing is decided by it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one looks.
const POLL: Duration = Duration::from_millis(5);

/// Every part of the shop that follows the log, as health names it.
const CONSUMERS: [&str; 7] = [
    "reactors/orders",
    "reactors/payments",
    "reactors/shipping",
    "read_models/customer_value",
    "read_models/daily_sales",
    "read_models/order_summary",
    "replays",
];

/// An event that cannot be handled, and the parts that must handle it.
struct Poison {
    stream: String,
    event_type: &'static str,
    version: u32,
    payload: &'static str,
    stops: &'static [&'static str],
}

/// The parts that want `order.placed`, and those that want `payment.captured`.
const PLACED: &[&str] = &[
    "reactors/payments",
    "read_models/customer_value",
    "read_models/daily_sales",
    "read_models/order_summary",
];
const CAPTURED: &[&str] = &["reactors/orders", "reactors/shipping"];

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
        poison("order-poison".into(), "order.unheard_of", 1, "{}", &[]),
        poison("payment-poison".into(), "payment.captured", 1, "no JSON", CAPTURED),
        poison("payment-poison".into(), "payment.captured", 2, "{}", CAPTURED),
        poison("shipment-poison".into(), "shipment.dispatched", 1, "{}", &["reactors/orders"]),
        poison("order-o-free".into(), "order.placed", 1, free, &[]),
        poison(replay(), "replay.requested", 1, "{}", &[]),
        poison(replay(), "replay.cancelled", 2, r#"{"cancelled":{}}"#, &[]),
        poison(replay(), "replay.unheard_of", 1, "{}", &[]),
    ]
}

fn consumer<'a>(health: &'a Value, name: &str) -> &'a Value {
    name.split('/').fold(health, |found, part| &found[part])
}

/// The parts that have stopped, once all others have handled the whole log.
async fn stopped(shop: &TestShop) -> (StatusCode, BTreeSet<&'static str>) {
    let looking = async {
        loop {
            let answer = shop.get("/health").await;
            let health = &answer.body;
            let state = |name: &&str| consumer(health, name)["state"].as_str().unwrap() == "stopped";
            let (stopped, going): (Vec<_>, Vec<_>) = CONSUMERS.iter().copied().partition(state);
            let at_head = |name: &&str| consumer(health, name)["at"] == health["head"];
            if going.iter().all(at_head) {
                for name in &stopped {
                    let reason = consumer(health, name)["reason"].as_str().unwrap();
                    assert!(reason.contains("event"), "{name}: {reason}");
                }
                return (answer.status, stopped.into_iter().collect());
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("the others came to the head in time")
}

async fn append(shop: &TestShop, poison: &Poison) {
    let event = NewEvent::json(EventType::new(poison.event_type).unwrap(), poison.payload);
    let event = NewEvent { schema_version: poison.version, ..event };
    let stream = StreamName::new(poison.stream.clone()).unwrap();
    shop.shop.store.events().append(Append::to(stream, ExpectedVersion::Any, vec![event])).await.unwrap();
}

/// Commands are executed, replays are listed, and whatever did not stop has what the command led to.
async fn assert_goes_on(shop: &TestShop, order_id: &str, poison: &Poison) {
    let what = format!("{} {} {}", poison.event_type, poison.version, poison.payload);
    let placed = shop.post("/orders", order(order_id, 2_933)).await;
    placed.assert_ok();
    let (status, stopped) = stopped(shop).await;
    assert_eq!(stopped, poison.stops.iter().copied().collect(), "{what}");
    assert_eq!(status == StatusCode::OK, poison.stops.is_empty(), "health says so: {what}");
    shop.get("/replays").await.assert_ok();
    if !poison.stops.contains(&"reactors/payments") {
        shop.get(&format!("/payments/{order_id}")).await.assert_ok();
    }
}

async fn meets(data: &Path, poison: &Poison) {
    let shop = TestShop::start(data).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    shop.settle().await;
    append(&shop, poison).await;
    assert_goes_on(&shop, "o-2", poison).await;
    shop.end().await;

    let shop = TestShop::start(data).await;
    assert_goes_on(&shop, "o-3", poison).await;
    if poison.stream.starts_with("$replay-") {
        let listed = shop.get("/replays").await;
        assert_eq!(listed.assert_ok()[0]["phase"], json!("unreadable"));
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_stops_the_parts_of_the_shop_that_must_handle_it_and_no_other() {
    let poisons = poisons();
    for poison in &poisons {
        let folder = tempfile::tempdir().unwrap();
        meets(folder.path(), poison).await;
    }
    println!("{} poison events at the {} consumers of a shop judged", poisons.len(), CONSUMERS.len());
}
