//! The end of a store, intended or not.

use super::support::{append, log, open, small_segments, write};
use annals_event::Sequence;
use annals_log::{
    Environment,
    sim::{Fault, FaultKind, Lasts, SimClock, SimDisk, SimEntropy},
};
use annals_store::{AppendError, EventStore, Filter, Subscribe};
use annals_store_log::{Log, LogStore};
use std::sync::Arc;

#[tokio::test]
async fn a_closed_store_takes_no_appends_and_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    append(&store, write("a", 3, 10)).await;
    store.close().await.unwrap();
    let refused = store.append(write("a", 1, 10)).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::Unavailable { reason } if reason.contains("closed")),
        "{refused}"
    );
    assert_eq!(log(&store).await.0.len(), 3);
}

#[tokio::test]
async fn a_subscriber_at_the_head_is_told_that_the_store_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut waiting = store.subscribe(Subscribe::after(Sequence::ZERO, Filter::all())).await.unwrap();
    assert!(waiting.next().await.unwrap().is_caught_up());
    let closed = store.clone();
    let (told, ended) = tokio::join!(waiting.next(), async move { closed.close().await });
    ended.unwrap();
    assert!(told.unwrap_err().to_string().contains("closed"));
    let mut late = store.subscribe(Subscribe::after(Sequence::ZERO, Filter::all())).await.unwrap();
    assert!(late.next().await.unwrap().is_caught_up());
    assert!(late.next().await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn after_a_failed_write_nothing_more_is_answered_and_reads_go_on() {
    let disk = SimDisk::new();
    let environment = Environment {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::new(1)),
        entropy: Arc::new(SimEntropy::new(1)),
    };
    let options = small_segments();
    let store = LogStore::from_log(Log::open_on(environment, options.clone()).unwrap(), &options);
    append(&store, write("a", 3, 10)).await;
    let before = log(&store).await;
    disk.plan(Some(Fault { at: disk.ios() + 1, lasts: Lasts::Forever, kind: FaultKind::Medium }));
    for _ in 0..3 {
        let failed = store.append(write("a", 1, 10)).await.unwrap_err();
        assert!(failed.is_retryable(), "{failed}");
    }
    disk.plan(None);
    assert!(store.append(write("a", 1, 10)).await.is_err(), "the log must be reopened first");
    assert_eq!(log(&store).await, before);
}
