//! How fast a rebuild is. Run with
//! `cargo test --release -p annals-projection --test throughput -- --ignored --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod support;

use annals_projection::{FoldControl, GenerationId, Origin, ReadModel, Until};
use std::time::Instant;
use support::{Accounts, World, append, sales};

const EVENTS: usize = 500_000;

async fn rebuild(customers: usize) {
    let world = World::new();
    let model = ReadModel::builder("till").unwrap().table(Accounts::default()).build().unwrap();
    append(&world.store, &sales(EVENTS, customers)).await;
    let generations = world.generations(&model).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    let begun = Instant::now();
    let folded = generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(folded.status.applied.count, u64::try_from(EVENTS).unwrap());
    println!("{EVENTS} events on {customers} rows: {:.0} events/s", 500_000.0 / seconds);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine and a release build"]
async fn a_rebuild_is_measured_with_few_and_with_many_rows() {
    for customers in [100, 2_357, 200_003] {
        rebuild(customers).await;
    }
}
