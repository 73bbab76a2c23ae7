//! Appends wait for room instead of failing, or filling memory.

use super::support::{append, log, small_segments, write};
use annals_store::EventStore;
use annals_store_log::LogStore;
use tokio::task::JoinSet;

#[tokio::test]
async fn more_appends_than_the_queue_has_room_for_are_all_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = small_segments();
    (options.queue_appends_max, options.queue_bytes_max) = (2, 5_000);
    let store = LogStore::open(folder.path(), options).await.unwrap();
    let mut tasks = JoinSet::new();
    for index in 0..200 {
        let store = store.clone();
        tasks.spawn(async move { append(&store, write(&format!("s-{index}"), 1, index * 50)).await });
    }
    assert_eq!(tasks.join_all().await.len(), 200);
    assert_eq!(log(&store).await.0.len(), 200);
}

#[tokio::test]
async fn one_append_may_be_larger_than_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = small_segments();
    options.queue_bytes_max = 1_000;
    let store = LogStore::open(folder.path(), options).await.unwrap();
    append(&store, write("large", 1, 1 << 20)).await;
    append(&store, write("large", 1, 1 << 20)).await;
    assert_eq!(log(&store).await.0.len(), 2);
}

#[tokio::test]
async fn what_the_log_did_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::open(folder.path(), small_segments()).await.unwrap();
    let first = write("a", 2, 10);
    append(&store, first.clone()).await;
    append(&store, write("b", 3, 10)).await;
    append(&store, first).await;
    let stats = store.stats();
    assert_eq!((stats.events, stats.appends, stats.repeats), (5, 2, 1));
    assert!(stats.syncs >= stats.groups && stats.groups >= 2);
    assert!(store.capabilities().durable);
    assert_eq!(store.damage(), None);
}
