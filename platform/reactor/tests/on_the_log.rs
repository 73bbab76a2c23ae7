//! Exactly once on the embedded log: the worker dies, the log is closed and opened again, a new worker goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_store_log::{LogStore, Options};
use common::troubled::{Call, Trouble, Troubled};
use common::{Output, PATIENCE, charges, place_orders, run_until, start, worker};
use std::{path::Path, sync::Arc};

const SEGMENT_BYTES: u64 = 64 << 10;
const BATCH_EVENTS: usize = 5;
const BATCH_EVENTS_AFTER_CRASH: usize = 4;

async fn open(folder: &Path) -> LogStore {
    LogStore::open(folder, Options::with_segment_bytes(SEGMENT_BYTES)).await.unwrap()
}

async fn undisturbed() -> (Vec<Output>, Vec<Call>) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let through = place_orders(&store).await;
    let counting = Troubled::not(Arc::new(store.clone()));
    run_until(worker(counting.store(), BATCH_EVENTS), through).await;
    let outputs = charges(&store).await;
    store.close().await.unwrap();
    (outputs, counting.calls())
}

async fn disturbed(call: usize, trouble: Trouble) -> Vec<Output> {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let through = place_orders(&store).await;
    let troubled = Troubled::at(Arc::new(store.clone()), call, trouble);
    let (handle, _stop, task) = start(worker(troubled.store(), BATCH_EVENTS));
    tokio::select! {
        () = troubled.hit() => {}
        reached = handle.wait_for(through, PATIENCE) => drop(reached.unwrap()),
    }
    task.abort();
    let _ = task.await;
    store.close().await.unwrap();
    drop((store, troubled));

    let store = open(folder.path()).await;
    run_until(worker(Arc::new(store.clone()), BATCH_EVENTS_AFTER_CRASH), through).await;
    let outputs = charges(&store).await;
    store.close().await.unwrap();
    outputs
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_at_any_call_outputs_are_those_of_an_undisturbed_run() {
    let (expected, calls) = undisturbed().await;
    assert_eq!(expected.len(), 24, "an order charges two accounts");
    for trouble in Trouble::CRASHES {
        for (number, call) in calls.iter().enumerate() {
            assert_eq!(disturbed(number, trouble).await, expected, "{trouble:?} at call {number}, {call:?}");
        }
    }
}
