//! A log that is restored from a backup brings the mark of then: what it has is reacted to once, and nothing is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_event::{Append, MarkName, Receipt, Sequence, Timestamp};
use annals_reactor::ReactorHandle;
use annals_store::{
    AppendError, Capabilities, Delivery, EventStore, Head, LogPage, ReadError, ReadLog, ReadStream,
    StreamPage, Subscribe, Subscription,
};
use annals_store_log::{LogStore, Options};
use async_trait::async_trait;
use common::{PATIENCE, append_all, charges, event_of, order, run_until, start, worker};
use futures::stream;
use std::{path::Path, sync::Arc};
use tokio::sync::watch;

async fn open(folder: &Path) -> LogStore {
    LogStore::open(folder, Options::default()).await.unwrap()
}

/// A connection to a log, behind which another history of it can be put.
struct Connection(watch::Sender<LogStore>);

impl Connection {
    fn log(&self) -> LogStore {
        self.0.borrow().clone()
    }
}

#[async_trait]
impl EventStore for Connection {
    fn capabilities(&self) -> Capabilities {
        self.log().capabilities()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.log().append(append).await
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.log().read_stream(read).await
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.log().read_log(read).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let mut log = self.0.subscribe();
        let subscription = self.log().subscribe(subscribe.clone()).await?;
        log.mark_unchanged();
        let begun = (subscription, log, subscribe);
        Ok(Subscription::new(stream::unfold(begun, async |(mut subscription, mut log, subscribe)| {
            let delivery = tokio::select! {
                biased;
                _ = log.changed() => {
                    let through = subscribe.from.previous();
                    let found = log.borrow_and_update().clone();
                    let head = found.head().await.unwrap().last;
                    Ok(Delivery { events: Default::default(), through, head, resumed: true })
                }
                delivery = subscription.next() => delivery,
            };
            Some((delivery, (subscription, log, subscribe)))
        })))
    }
    async fn head(&self) -> Result<Head, ReadError> {
        self.log().head().await
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        self.log().mark(mark).await
    }
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        self.log().sequence_at(time).await
    }
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
    let connection = Arc::new(Connection(watch::Sender::new(log)));
    let (handle, stop, task) = start(worker(connection.clone(), 10));
    handle.wait_for(through, PATIENCE).await.unwrap();

    // It knows of no other mark than the backup does, and has passed over the place of this order.
    let restored = open(&folder.path().join("backup")).await;
    let placed = append_all(&restored, [order(1, "ada", 5)]).await;
    assert!(placed < through);
    connection.0.send_replace(restored.clone());
    let last = append_all(&restored, (2..12).map(|n| order(n, "ada", 5))).await;
    handle.wait_for(last, PATIENCE).await.unwrap();
    stop.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(charges(&restored).await.len(), 2 * 11);
}

/// Puts a backup of an empty log, or one with an order, behind a worker that has set its mark since; returns the restored log.
async fn restored_under_a_worker(
    before: Vec<Append>,
    then: impl AsyncFnOnce(&LogStore, &ReactorHandle, &Connection),
) -> LogStore {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    let connection = Arc::new(Connection(watch::Sender::new(log.clone())));
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
        let restored = restored_under_a_worker(before, async |restored, handle, connection| {
            connection.0.send_replace(restored.clone());
            let last = append_all(restored, [order(4, "ada", 5), order(5, "bob", 7)]).await;
            // Its old place is further than that: the number proves nothing before it has gone back.
            while charges(restored).await.len() < 2 * (known + 2) {
                handle.wait_for(last, PATIENCE).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(charges(&restored.await).await.len(), 2 * (known + 2), "two for each order that is there");
    }
}

#[tokio::test]
async fn a_worker_that_is_stopped_on_a_restored_log_ends_in_order() {
    let restored = restored_under_a_worker(vec![order(1, "ada", 5)], async |restored, _, connection| {
        connection.0.send_replace(restored.clone());
    });
    assert_eq!(charges(&restored.await).await.len(), 2);
}

/// The mark is the same in both histories, so comparing it tells nothing.
#[tokio::test]
async fn a_worker_that_stops_moves_no_mark_over_events_it_never_saw() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    let connection = Arc::new(Connection(watch::Sender::new(log.clone())));
    let (handle, stop, task) = start(worker(connection.clone(), 10));
    let through = append_all(&log, [order(1, "ada", 5)]).await;
    handle.wait_for(through, PATIENCE).await.unwrap();
    log.backup(folder.path().join("backup")).await.unwrap();
    let visits = (0..50).map(|n| event_of(&format!("visit-{n}"), "visit.begun", "{}"));
    let through = append_all(&log, visits).await;
    handle.wait_for(through, PATIENCE).await.unwrap();

    // Told to stop before it can notice what is behind the connection.
    let restored = open(&folder.path().join("backup")).await;
    stop.cancel();
    connection.0.send_replace(restored.clone());
    task.await.unwrap().unwrap();
    let last = append_all(&restored, (2..42).map(|n| order(n, "ada", 5))).await;
    run_until(worker(Arc::new(restored.clone()), 10), last).await;
    assert_eq!(charges(&restored).await.len(), 2 * 41);
}
