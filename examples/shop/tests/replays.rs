//! Replays of the shop's read models: from anywhere they end with the same rows, and a fold that is wrong is found.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod postgres;
#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use annals::event::Recorded;
use annals::read_model::{Fold, ReadModel};
use annals::service::Config;
use annals_projection::{FoldControl, GenerationId, Generations, Origin, Until};
use annals_shop::orders::events::OrderPlaced;
use annals_shop::orders::read_models::customer_value::{CustomerValue, customer_values};
use serde_json::{Value, json};
use std::path::Path;
use support::{Answer, TestShop};

const READ_MODELS: [&str; 3] = ["order_summary", "customer_value", "daily_sales"];

const REPLAYS: &str = "/_annals/v1/replays";
/// How many orders there are, and how many customers in turn place them.
const ORDERS: u64 = 400;
const CUSTOMERS: u64 = 57;

/// A shop with orders, a refund and a refusal; snapshots are taken now and then.
async fn fed(data: &Path) -> TestShop {
    fed_with(data, "").await
}

/// The same with more configuration.
async fn fed_with(data: &Path, more: &str) -> TestShop {
    let mut toml = format!("data = '{}'\nlisten = '127.0.0.1:0'\n{more}", data.display());
    let snapshots = READ_MODELS.map(|name| format!("read_model.{name}.snapshot_every = 300\n"));
    toml.push_str(&snapshots.concat());
    let shop = TestShop::with(Config::from_toml(&toml).unwrap()).await;
    for number in 1..=ORDERS {
        let placed = json!({
            "order_id": format!("o-{number}"), "customer_id": format!("{:04}", number % CUSTOMERS),
            "ordered_on": format!("1997-01-{:02}", 1 + number % 31), "items": 1 + number % 5,
            "total_cents": number * 37,
        });
        shop.post("/orders", placed).await.assert_ok();
    }
    shop.post("/orders", support::order("dear", 1_000_001)).await.assert_ok();
    shop.settle().await;
    shop.post("/payments/o-1/refund", Value::Null).await.assert_ok();
    shop.settle().await;
    shop
}

/// Replays and waits for the end.
async fn replay(shop: &TestShop, read_model: &str, from: u64) -> Value {
    replay_in(shop, read_model, from, "promote_if_identical").await
}

async fn replay_in(shop: &TestShop, read_model: &str, from: u64, mode: &str) -> Value {
    let wish = json!({"read_model": read_model, "from": from, "mode": mode});
    let requested = shop.post(REPLAYS, wish).await;
    let path = format!("{REPLAYS}/{}", requested.assert_ok()["id"].as_str().unwrap());
    let ended =
        |answer: &Answer| ["ready", "promoted", "failed"].iter().any(|phase| answer.body["phase"] == *phase);
    shop.get_until(&path, ended).await.body
}

#[tokio::test]
async fn replays_of_each_read_model_from_anywhere_end_with_identical_rows() {
    let folder = tempfile::tempdir().unwrap();
    replay_all(fed(folder.path()).await).await;
}

#[tokio::test]
async fn on_postgresql_the_shop_has_the_same_rows_and_replays() {
    let Some(url) = postgres::url() else { return };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let schema = format!("t{}", &uuid::Uuid::now_v7().simple().to_string()[12..]);
    let database = format!("read_models.url = '{url}'\nread_models.schema = '{schema}'\n");
    let in_files = fed(folders[0].path()).await;
    let in_database = fed_with(folders[1].path(), &database).await;
    let customers = (0..CUSTOMERS).map(|customer| format!("/customers/{customer:04}"));
    for question in
        customers.chain(["/totals".to_owned(), "/orders/o-7".to_owned(), "/orders/dear".to_owned()])
    {
        let expected = in_files.get(&question).await;
        assert_eq!(in_database.get(&question).await.assert_ok(), expected.assert_ok(), "{question}");
    }
    assert!(!folders[1].path().join("read-models").exists(), "nothing is in files");
    in_files.stop().await;
    replay_all(in_database).await;
}

/// Replays each read model from several places, and goes on afterwards.
async fn replay_all(shop: TestShop) {
    let head = shop.head().await;
    let totals = shop.get("/totals").await.body;
    for read_model in READ_MODELS {
        for from in [1, head / 2, head] {
            let done = replay(&shop, read_model, from).await;
            assert_eq!(done["phase"], "promoted", "{read_model} from {from}: {done}");
            let difference = &done["difference"];
            for change in ["added", "removed", "changed"] {
                assert_eq!(difference[change], 0, "{read_model} from {from}: {done}");
            }
            assert!(difference["same"].as_u64().unwrap() > 0);
            let events = ["complete_events", "log_events"].map(|count| difference[count].as_u64().unwrap());
            assert_eq!(events[0], events[1], "{read_model} from {from}: {done}");
            let folded = done["plan"]["events"].as_u64().unwrap();
            match done["plan"]["snapshot"].is_null() {
                true => assert_eq!(folded, events[0], "{read_model} from {from}: {done}"),
                false => assert!(folded < events[0], "{read_model} from {from}: {done}"),
            }
        }
    }
    assert_eq!(shop.get("/totals").await.body, totals);
    // The promoted generations are kept up to date like the ones before.
    let placed = shop.post("/orders", support::order("later", 100)).await;
    let token = &placed.assert_ok()["token"];
    let order = shop.get(&format!("/orders/later?wait_for={token}")).await;
    assert_eq!(order.assert_ok()["total_cents"], 100);
    shop.stop().await;
}

const WRONGED: &str = "0007";

/// The fold of customers' values with a bug: one customer's orders count twice.
fn wrong() -> Fold<CustomerValue> {
    let wronged = |e: &Recorded<OrderPlaced>| Some(e.customer_id.clone()).filter(|id| id.as_str() == WRONGED);
    customer_values().update(wronged, |row, _| row.orders += 1)
}

#[tokio::test]
async fn a_wrong_fold_shows_in_the_comparison_as_exactly_the_wrong_rows() {
    let folder = tempfile::tempdir().unwrap();
    let shop = fed(folder.path()).await;
    let right = shop.get(&format!("/customers/{WRONGED}")).await.assert_ok()["orders"].as_i64().unwrap();
    let wrong = ReadModel::named("customer_value").fold_version(2).table(wrong()).build().unwrap();
    let catalog = annals::sqlite::open(folder.path().join("read-models")).await.unwrap();
    let generations = Generations::new(catalog, wrong, shop.store());
    let candidate = GenerationId::generate();
    generations.create(candidate, Origin::Empty).await.unwrap();
    generations.fold_to(candidate, Until::Head, FoldControl::default()).await.unwrap();
    let found = generations.verify(candidate, FoldControl::default()).await.unwrap().unwrap();
    assert_eq!((found.added, found.removed, found.changed), (0, 0, 1));
    let row = &found.samples[0];
    assert_eq!(row.key, format!("customer_id='{WRONGED}'"));
    let orders = |count| Some(format!("orders={count}"));
    assert_eq!((&row.live, &row.candidate), (&orders(right), &orders(2 * right)));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_over_an_event_that_cannot_be_decoded_fails_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let shop = TestShop::start(folder.path()).await;
    shop.post("/orders", support::order("before", 100)).await.assert_ok();
    shop.settle().await;
    let poison = support::poison(&*shop.store()).await;
    shop.post("/orders", support::order("after", 100)).await.assert_ok();
    for read_model in READ_MODELS {
        for mode in ["build", "promote"] {
            let done = replay_in(&shop, read_model, 1, mode).await;
            assert_eq!(
                (&done["phase"], &done["failure"]["phase"]),
                (&json!("failed"), &json!("verifying")),
                "{done}"
            );
            let reason = done["failure"]["reason"].as_str().unwrap();
            assert!(
                reason.contains(&format!("at sequence number {poison} of stream \"order-poison\"")),
                "{reason}"
            );
        }
    }
    shop.end().await;
}
