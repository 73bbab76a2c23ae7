//! Leases of holders that live, and of those that do not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{ModelName, backend::Backend};
use annals_projection_postgres::connect;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use support::{TestDatabase, database};

/// How long a lease lasts here.
const LEASE: Duration = Duration::from_millis(400);
/// A test that waits for longer fails.
const PATIENCE: Duration = Duration::from_secs(30);

async fn open(database: &TestDatabase) -> Arc<dyn Backend> {
    let mut options = database.options();
    options.lease = LEASE;
    connect(&options).await.unwrap()
}

fn till() -> ModelName {
    ModelName::new("till").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_lives_keeps_its_lease() {
    let Some(database) = database().await else { return };
    let (on, other) = (open(&database).await, open(&database).await);
    let held = on.try_lease(&till()).await.unwrap();
    assert!(held.is_some());
    let begun = Instant::now();
    while begun.elapsed() < LEASE * 4 {
        assert!(other.try_lease(&till()).await.unwrap().is_none());
        tokio::time::sleep(LEASE / 8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_holder_that_is_gone_can_be_taken_when_its_time_is_over() {
    let Some(database) = database().await else { return };
    let on = open(&database).await;
    let gone = "INSERT INTO annals.lease (model, holder, beat) VALUES ('till', '00000000-0000-7000-8000-000000000001', 7)";
    database.execute(gone).await;
    let begun = Instant::now();
    let taken = loop {
        if let Some(taken) = on.try_lease(&till()).await.unwrap() {
            break taken;
        }
        assert!(begun.elapsed() < PATIENCE, "it is not taken");
        tokio::time::sleep(LEASE / 8).await;
    };
    assert!(begun.elapsed() >= LEASE, "it was taken after {:?}", begun.elapsed());
    assert!(open(&database).await.try_lease(&till()).await.unwrap().is_none());
    drop(taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_given_up_is_free_at_once_for_this_process() {
    let Some(database) = database().await else { return };
    let on = open(&database).await;
    for _ in 0..20 {
        let held = on.try_lease(&till()).await.unwrap();
        assert!(held.is_some(), "whoever gives it up can have it again");
    }
}
