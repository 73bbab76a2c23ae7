//! A log that an earlier release wrote: it opens, folds and replays to the rows that release answered with, and goes on.
//!
//! `old_log/` has that log's backup, its files packed with zstd, and the answers that the release gave. What is stored stays
//! readable: neither is ever written anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub, reason = "tests")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use serde_json::{Value, json};
use std::{fs, path::Path};
use support::TestShop;

const FILES: [&str; 3] = ["0000000001.segment", "checkpoint", "manifest"];
const EVENTS: u64 = 186;

/// Puts the earlier release's log into `data`.
fn unpack(data: &Path) {
    let log = data.join("log");
    fs::create_dir_all(&log).unwrap();
    for file in FILES {
        let packed = fs::File::open(format!("tests/old_log/{file}.zst")).unwrap();
        let mut unpacked = fs::File::create(log.join(file)).unwrap();
        zstd::stream::copy_decode(packed, &mut unpacked).unwrap();
    }
}

async fn assert_answers_as_then(shop: &TestShop, when: &str) {
    let then: Value = serde_json::from_slice(&fs::read("tests/old_log/answers.json").unwrap()).unwrap();
    for (list, answer) in then.as_object().unwrap() {
        let now = shop.get(&format!("/{list}?limit=100")).await;
        assert_eq!(now.assert_ok(), answer, "{list} {when}");
    }
}

#[tokio::test]
async fn a_log_of_an_earlier_release_folds_and_replays_to_the_same_rows() {
    let data = tempfile::tempdir().unwrap();
    unpack(data.path());
    let shop = TestShop::start(data.path()).await;
    shop.settle().await;
    assert_answers_as_then(&shop, "when folded").await;
    for read_model in ["order_summary", "customer_value", "daily_sales"] {
        for from in [1, EVENTS / 2] {
            let asked = json!({"read_model": read_model, "from": from, "mode": "promote_if_identical"});
            let asked = shop.post("/_annals/v1/replays", asked).await;
            let path = format!("/_annals/v1/replays/{}", asked.body["id"].as_str().unwrap());
            let done = shop.get_until(&path, |answer| answer.body["phase"] == "promoted").await;
            for change in ["added", "removed", "changed"] {
                assert_eq!(done.body["difference"][change], 0, "{read_model} from {from}: {}", done.body);
            }
        }
    }
    assert_answers_as_then(&shop, "after its replays").await;
    let placed = shop.post("/orders", support::order("new", 100)).await;
    let token = placed.assert_ok()["token"].as_u64().unwrap();
    assert!(token > EVENTS, "what is appended follows: {token}");
    assert_eq!(shop.get(&format!("/orders/new?wait_for={token}")).await.assert_ok()["total_cents"], 100);
    shop.stop().await;
}
