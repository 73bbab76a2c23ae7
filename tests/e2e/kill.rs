//! Killed in the middle of anything, the shop goes on from its data as if nothing had happened.

use crate::shop::{SHOP, Shop, totals};
use std::time::Duration;

/// How often the shop is killed, unless `ANNALS_KILLS` says otherwise.
const KILLS: u64 = 12;
/// Purchases that are new to each run, so that each has something to do.
const PURCHASES_A_RUN: usize = 50;
/// How long a run may go on at first, in milliseconds. It grows when runs are killed and shrinks when they end first,
/// so that on any machine kills hit every part of a run.
const LIMIT_MS: u64 = 1_500;

#[tokio::test]
async fn a_shop_killed_at_random_ends_with_the_rows_of_an_undisturbed_run() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("ANNALS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let kills = number("ANNALS_KILLS").unwrap_or(KILLS);
    println!("ANNALS_SEED={seed} ANNALS_KILLS={kills}");
    let mut random = fastrand::Rng::with_seed(seed);

    let mut shop = Shop::with_purchases(0);
    let (mut purchases, mut killed, mut limit_ms) = (0, 0, LIMIT_MS);
    while killed < kills {
        purchases += PURCHASES_A_RUN;
        shop.take_purchases(purchases);
        let mut running = SHOP.start(&shop.arguments()).unwrap();
        tokio::time::sleep(Duration::from_millis(random.u64(..limit_ms.max(1)))).await;
        if running.kill().unwrap() {
            killed += 1;
            limit_ms += limit_ms / 4;
        } else {
            limit_ms -= limit_ms / 4;
        }
    }
    let report = shop.run();
    assert_eq!(report["resumed"], true);

    let undisturbed = Shop::with_purchases(purchases);
    assert_eq!(totals(&report), totals(&undisturbed.run()));
    let (rows, wanted) = (shop.tables().await, undisturbed.tables().await);
    assert_eq!(rows.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    assert!(wanted.values().all(|rows| !rows.is_empty()), "a table without rows proves nothing");
    for (table, wanted) in wanted {
        assert_eq!(rows[&table], wanted, "table {table}");
    }
}
