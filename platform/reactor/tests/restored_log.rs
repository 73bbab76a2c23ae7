//! A log that is restored from a backup brings the mark of then: what it has is reacted to once, and nothing is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_event::{Append, Receipt, Sequence};
use annals_reactor::{Options as WorkerOptions, ReactorHandle, ReactorWorker, Start};
use annals_store::{AppendError, EventStore, Layer, ReadError, Rerouted, Subscribe, Subscription};
use annals_store_log::{LogStore, Options};
use async_trait::async_trait;
use common::{
    ChargeOrders, PATIENCE, append_all, charges, event_of, order, repository, run_until, start, worker,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

async fn open(folder: &Path) -> LogStore {
    LogStore::open(folder, Options::default()).await.unwrap()
}

/// A connection to a log that can be exchanged for another history of it.
struct Connection {
    log: Rerouted<LogStore>,
    takes_appends: AtomicBool,
    /// So many appends were not taken.
    refused: AtomicUsize,
}

impl Connection {
    fn to(log: LogStore) -> Arc<Self> {
        let log = Rerouted::to(log);
        Arc::new(Self { log, takes_appends: AtomicBool::new(true), refused: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Layer for Connection {
    fn below(&self) -> Arc<dyn EventStore> {
        self.log.below()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        if !self.takes_appends.load(Relaxed) {
            self.refused.fetch_add(1, Relaxed);
            return Err(AppendError::Unavailable { reason: "the server is away".into() });
        }
        self.below().append(append).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        Layer::subscribe(&self.log, subscribe).await
    }
}

/// Waits until so many orders of the restored log were reacted to. A worker's old place may be further than that: its number
/// proves nothing before it has gone back.
async fn reacted(restored: &LogStore, orders: usize) {
    let all = async {
        while charges(restored).await.len() < 2 * orders {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reacted = tokio::time::timeout(PATIENCE, all).await;
    assert!(reacted.is_ok(), "only {} charges for {orders} orders", charges(restored).await.len());
}

#[tokio::test]
async fn a_worker_on_a_restored_log_reacts_to_all_that_is_in_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    let run = async |log: &LogStore, orders: Vec<Append>| {
        let through = append_all(log, orders).await;
        run_until(worker(Arc::new(log.clone()), 10), through).await;
    };
    run(&log, vec![order(1, "ada", 5)]).await;
    log.backup(folder.path().join("backup")).await.unwrap();
    run(&log, vec![order(2, "ada", 5), order(3, "bob", 7)]).await;
    assert_eq!(charges(&log).await.len(), 6);

    let restored = open(&folder.path().join("backup")).await;
    run(&restored, vec![order(4, "ada", 5), order(5, "bob", 7), order(6, "eve", 1)]).await;
    assert_eq!(charges(&restored).await.len(), 8, "two for each order");
}

#[tokio::test]
async fn a_worker_that_outlives_a_restore_skips_nothing_that_it_had_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    append_all(&log, [event_of("visit-1", "visit.begun", "{}")]).await;
    log.backup(folder.path().join("backup")).await.unwrap();
    let visits = (2..10).map(|n| event_of(&format!("visit-{n}"), "visit.begun", "{}"));
    let through = append_all(&log, visits).await;
    let connection = Connection::to(log);
    let (handle, stop, task) = start(worker(connection.clone(), 10));
    handle.wait_for(through, PATIENCE).await.unwrap();

    // It knows of no other mark than the backup does, and has passed over the place of this order.
    let restored = open(&folder.path().join("backup")).await;
    let placed = append_all(&restored, [order(1, "ada", 5)]).await;
    assert!(placed < through);
    connection.log.lead_to(restored.clone());
    let last = append_all(&restored, (2..12).map(|n| order(n, "ada", 5))).await;
    handle.wait_for(last, PATIENCE).await.unwrap();
    stop.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(charges(&restored).await.len(), 2 * 11);
}

/// Restores a backup, made of an empty log or of one with an order, under a worker that has set its mark since; returns the
/// restored log.
async fn restored_under_a_worker(
    before: Vec<Append>,
    then: impl AsyncFnOnce(&LogStore, &ReactorHandle, &Connection),
) -> LogStore {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    let connection = Connection::to(log.clone());
    let (handle, stop, task) = start(worker(connection.clone(), 10));
    let through =
        append_all(&log, [event_of("visit-1", "visit.begun", "{}")].into_iter().chain(before)).await;
    handle.wait_for(through, PATIENCE).await.unwrap();
    log.backup(folder.path().join("backup")).await.unwrap();
    let through = append_all(&log, [order(2, "ada", 5), order(3, "bob", 7)]).await;
    handle.wait_for(through, PATIENCE).await.unwrap();

    let restored = open(&folder.path().join("backup")).await;
    then(&restored, &handle, &connection).await;
    stop.cancel();
    task.await.unwrap().unwrap();
    restored
}

#[tokio::test]
async fn a_worker_that_outlives_a_restore_goes_on_from_the_mark_there() {
    for before in [vec![], vec![order(1, "ada", 5)]] {
        let known = before.len();
        let restored = restored_under_a_worker(before, async |restored, _, connection| {
            connection.log.lead_to(restored.clone());
            append_all(restored, [order(4, "ada", 5), order(5, "bob", 7)]).await;
            reacted(restored, known + 2).await;
        });
        assert_eq!(charges(&restored.await).await.len(), 2 * (known + 2), "two for each order that is there");
    }
}

#[tokio::test]
async fn a_worker_that_is_stopped_on_a_restored_log_ends_in_order() {
    let restored = restored_under_a_worker(vec![order(1, "ada", 5)], async |restored, _, connection| {
        connection.log.lead_to(restored.clone());
    });
    assert_eq!(charges(&restored.await).await.len(), 2);
}

/// The mark is the same in both histories, so comparing it tells nothing.
#[tokio::test]
async fn a_worker_that_stops_moves_no_mark_over_events_it_never_saw() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    let connection = Connection::to(log.clone());
    let (handle, stop, task) = start(worker(connection.clone(), 10));
    let through = append_all(&log, [order(1, "ada", 5)]).await;
    handle.wait_for(through, PATIENCE).await.unwrap();
    log.backup(folder.path().join("backup")).await.unwrap();
    let visits = (0..50).map(|n| event_of(&format!("visit-{n}"), "visit.begun", "{}"));
    let through = append_all(&log, visits).await;
    handle.wait_for(through, PATIENCE).await.unwrap();

    // Told to stop before it can notice which log it now reads.
    let restored = open(&folder.path().join("backup")).await;
    stop.cancel();
    connection.log.lead_to(restored.clone());
    task.await.unwrap().unwrap();
    let last = append_all(&restored, (2..42).map(|n| order(n, "ada", 5))).await;
    run_until(worker(Arc::new(restored.clone()), 10), last).await;
    assert_eq!(charges(&restored).await.len(), 2 * 41);
}

/// What it had decided on was in the other history, and its mark is the same in both.
#[tokio::test]
async fn an_append_that_was_not_answered_is_not_made_in_a_restored_log() {
    for (progress_every, with_output) in [(10_000, true), (10, false)] {
        let folder = tempfile::tempdir().unwrap();
        let log = open(&folder.path().join("log")).await;
        let connection = Connection::to(log.clone());
        let options = WorkerOptions { progress_every, ..WorkerOptions::default() };
        let repository = repository(connection.clone());
        let (handle, stop, task) =
            start(ReactorWorker::new(repository, ChargeOrders::default().reactor(), options));
        let through = append_all(&log, [order(1, "ada", 5)]).await;
        handle.wait_for(through, PATIENCE).await.unwrap();
        log.backup(folder.path().join("backup")).await.unwrap();

        connection.takes_appends.store(false, Relaxed);
        let visits = (0..50).map(|n| event_of(&format!("visit-{n}"), "visit.begun", "{}"));
        append_all(&log, visits.chain(with_output.then(|| order(2, "ada", 5)))).await;
        while connection.refused.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }

        let restored = open(&folder.path().join("backup")).await;
        append_all(&restored, (3..43).map(|n| order(n, "ada", 5))).await;
        connection.log.lead_to(restored.clone());
        connection.takes_appends.store(true, Relaxed);
        append_all(&restored, (43..63).map(|n| order(n, "ada", 5))).await;
        reacted(&restored, 61).await;
        stop.cancel();
        task.await.unwrap().unwrap();
        let charged = charges(&restored).await;
        assert_eq!(charged.len(), 2 * 61, "two for each order that is there, none for the one that is not");
    }
}

/// First the wrong, older backup, and then the right one, whose mark is further than this copy left it.
#[tokio::test]
async fn a_worker_goes_on_from_the_mark_of_a_newer_backup_too() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    let connection = Connection::to(log.clone());
    let (handle, stop, task) = start(worker(connection.clone(), 10));
    let run = async |orders: Vec<Append>| {
        let through = append_all(&log, orders).await;
        handle.wait_for(through, PATIENCE).await.unwrap();
    };
    run(vec![order(1, "ada", 5)]).await;
    log.backup(folder.path().join("older")).await.unwrap();
    run(vec![order(2, "ada", 5), order(3, "bob", 7)]).await;
    log.backup(folder.path().join("newer")).await.unwrap();

    for (backup, orders) in [("older", 2), ("newer", 4)] {
        let restored = open(&folder.path().join(backup)).await;
        connection.log.lead_to(restored.clone());
        append_all(&restored, [order(4, "eve", 1)]).await;
        reacted(&restored, orders).await;
        assert_eq!(charges(&restored).await.len(), 2 * orders);
    }
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_worker_that_outlives_a_restore_begins_where_it_once_began() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    append_all(&log, [order(1, "ada", 5)]).await;
    log.backup(folder.path().join("backup")).await.unwrap();
    let connection = Connection::to(log.clone());
    let reactor = ChargeOrders { start: Start::Now, ..ChargeOrders::default() }.reactor();
    let (handle, stop, task) =
        start(ReactorWorker::new(repository(connection.clone()), reactor, WorkerOptions::default()));
    handle.wait_for(Sequence::FIRST, PATIENCE).await.unwrap();
    let through = append_all(&log, [order(2, "ada", 5)]).await;
    handle.wait_for(through, PATIENCE).await.unwrap();

    // The backup has no mark: it was made before the reactor was first started.
    let restored = open(&folder.path().join("backup")).await;
    append_all(&restored, [order(3, "ada", 5), order(4, "bob", 7)]).await;
    connection.log.lead_to(restored.clone());
    reacted(&restored, 2).await;
    stop.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(charges(&restored).await.len(), 4, "not the order from before it began");
}
