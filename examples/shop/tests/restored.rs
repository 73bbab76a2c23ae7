//! The log is restored from an older backup under the shop: it reacts to everything that the log has, and says of its read
//! models that their rows are of another history, until a replay.
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

use annals::event::Sequence;
use annals::store::{EventStore, LogOptions, LogStore, ReadLog};
use annals_shop::orders::events::OrderPlaced;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use support::processes::{ShopProcess, StoreProcess, put_in_place};
use support::{Answer, CONSUMERS, Http, consumer, is_at_head, order, reason};

const READ_MODELS: [&str; 3] = ["customer_value", "daily_sales", "order_summary"];

/// Orders under these names, that of each with a number.
async fn place(shop: &Http, name: &str) {
    for number in 1..=3 {
        let placed = shop.post("/orders", order(&format!("{name}-{number}"), 1_000 + number)).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.body);
    }
}

/// Waits until the payments of these orders are captured and their parcels sent.
async fn assert_handled(shop: &Http, name: &str) {
    for number in 1..=3 {
        let is = |word: &'static str| move |answer: &Answer| answer.body["status"] == word;
        shop.get_until(&format!("/payments/{name}-{number}"), is("captured")).await;
        shop.get_until(&format!("/shipments/{name}-{number}"), is("dispatched")).await;
    }
}

fn is_model(name: &str) -> bool {
    name.starts_with("read_model/")
}

/// Waits until every part of the shop has handled the whole log, and is well.
async fn assert_well(shop: &Http) {
    let well = |answer: &Answer| {
        answer.body["status"] == "ok" && CONSUMERS.into_iter().all(|name| is_at_head(&answer.body, name))
    };
    shop.get_until("/health", well).await;
}

/// Waits until the read models say that their rows are of another history, and all others have handled the whole log.
async fn assert_noticed(shop: &Http) {
    let noticed = |answer: &Answer| {
        let health = &answer.body;
        CONSUMERS.into_iter().all(|name| {
            let consumer = consumer(health, name);
            match is_model(name) {
                true => consumer["state"] == "other_history",
                false => consumer["state"] == "running" && is_at_head(health, name),
            }
        })
    };
    let health = shop.get_until("/health", noticed).await;
    assert_eq!((health.status, &health.body["status"]), (StatusCode::OK, &json!("degraded")));
    for name in CONSUMERS.into_iter().filter(|name| is_model(name)) {
        let reason = reason(&health.body, name);
        assert!(reason.contains("replay"), "it says what to do: {reason}");
    }
}

/// Rebuilds a read model from the whole log.
async fn replay(shop: &Http, read_model: &str) {
    let wish = json!({"read_model": read_model, "from": 1, "mode": "promote"});
    let requested = shop.post("/_annals/v1/replays", wish).await;
    let path = format!("/_annals/v1/replays/{}", requested.assert_ok()["id"].as_str().unwrap());
    let ended = |answer: &Answer| {
        ["promoted", "failed", "cancelled"].iter().any(|phase| answer.body["phase"] == *phase)
    };
    let replay = shop.get_until(&path, ended).await;
    assert_eq!(replay.body["phase"], "promoted", "{read_model}: {}", replay.body);
}

/// The orders that the log has.
async fn placements(store: &dyn EventStore) -> Vec<OrderPlaced> {
    let (mut placements, mut from) = (Vec::new(), Sequence::FIRST);
    loop {
        let page = store.read_log(ReadLog::from(from)).await.unwrap();
        let placed = page.events.iter().filter(|event| event.event_type() == "order.placed");
        placements
            .extend(placed.map(|event| serde_json::from_slice::<OrderPlaced>(event.payload()).unwrap()));
        if page.is_last() {
            return placements;
        }
        from = page.through.next();
    }
}

async fn rows(shop: &Http, path: &str) -> Vec<Value> {
    shop.get(&format!("{path}?limit=500")).await.assert_ok()["rows"].as_array().unwrap().clone()
}

async fn ids(shop: &Http) -> BTreeSet<String> {
    let rows = rows(shop, "/orders").await;
    rows.iter().map(|row| row["order_id"].as_str().unwrap().to_owned()).collect()
}

/// The rows of each read model are those of the log's orders.
async fn assert_rows_are_of(shop: &Http, placed: &[OrderPlaced]) {
    let sums = |of: &dyn Fn(&OrderPlaced) -> String| {
        let mut sums = BTreeMap::<String, [i64; 3]>::new();
        for placement in placed {
            let sum = sums.entry(of(placement)).or_default();
            let more = [1, i64::from(placement.items), placement.total_cents.get()];
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        sums
    };
    let of_rows = |rows: Vec<Value>, key: &str| -> BTreeMap<String, [i64; 3]> {
        let fields = ["orders", "items", "revenue_cents"];
        let of = |row: &Value| fields.map(|field| row[field].as_i64().unwrap());
        rows.iter().map(|row| (row[key].as_str().unwrap().to_owned(), of(row))).collect()
    };
    assert_eq!(ids(shop).await, placed.iter().map(|one| one.order_id.as_str().to_owned()).collect());
    let customers = of_rows(rows(shop, "/customers").await, "customer_id");
    assert_eq!(customers, sums(&|one| one.customer_id.as_str().to_owned()));
    let days = of_rows(rows(shop, "/sales").await, "day");
    assert_eq!(days, sums(&|one| one.ordered_on.as_str().to_owned()));
}

/// The log has lost the orders "lost", and the shop goes on with it: new orders are handled, rows are served as they were,
/// and a replay of each read model makes them those of the log.
async fn assert_goes_on(shop: &Http) {
    place(shop, "new").await;
    assert_handled(shop, "new").await;
    assert_handled(shop, "kept").await;
    assert_noticed(shop).await;
    let orders = ids(shop).await;
    assert!(orders.contains("lost-1") && !orders.contains("new-1"), "{orders:?}");
    let lost = shop.get("/payments/lost-1").await;
    lost.assert_problem(StatusCode::NOT_FOUND, "payment");
    for read_model in READ_MODELS {
        replay(shop, read_model).await;
    }
    assert_well(shop).await;
}

/// A store, a shop that works on it, and a backup that lacks the orders "lost".
async fn lost_orders(folder: &Path) -> (StoreProcess, ShopProcess, PathBuf) {
    let store = StoreProcess::start(folder);
    let shop = ShopProcess::start_on(&store, folder);
    place(&shop, "kept").await;
    assert_well(&shop).await;
    let backup = store.back_up().await;
    place(&shop, "lost").await;
    assert_handled(&shop, "lost").await;
    assert_well(&shop).await;
    (store, shop, backup)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_restored_while_the_shop_runs_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (store, shop, backup) = lost_orders(folder.path()).await;
    let store = store.restore(&backup);
    assert_goes_on(&shop).await;
    assert_rows_are_of(&shop, &placements(&store.client().await).await).await;
    shop.stop();
    store.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_started_on_a_restored_log_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, shop, backup) = lost_orders(folder.path()).await;
    let store = store.restore(&backup);
    shop.stop();
    let shop = ShopProcess::start_on(&store, folder.path());
    assert_goes_on(&shop).await;
    assert_rows_are_of(&shop, &placements(&store.client().await).await).await;
    shop.stop();
    store.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_whose_own_log_was_restored_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (log, backup) = (folder.path().join("shop/log"), folder.path().join("backup"));
    let shop = ShopProcess::start(folder.path());
    place(&shop, "kept").await;
    assert_well(&shop).await;
    shop.stop();
    let served = LogStore::open(&log, LogOptions::default()).await.unwrap();
    served.backup(backup.clone()).await.unwrap();
    served.close().await.unwrap();
    let shop = ShopProcess::start(folder.path());
    place(&shop, "lost").await;
    assert_handled(&shop, "lost").await;
    assert_well(&shop).await;
    shop.stop();

    put_in_place(&backup, &log);
    let shop = ShopProcess::start(folder.path());
    assert_goes_on(&shop).await;
    shop.stop();
    let served = LogStore::open(&log, LogOptions::default()).await.unwrap();
    let placed = placements(&served).await;
    served.close().await.unwrap();
    let shop = ShopProcess::start(folder.path());
    assert_rows_are_of(&shop, &placed).await;
    assert_well(&shop).await;
    shop.stop();
}
