//! What was answered before a restart is there after it, and so is the memory of requests.

use super::support::{append, log, mark, open, small_segments, stream, write};
use annals_event::{Append, ExpectedVersion, NewEvent, Receipt, RequestId, Sequence};
use annals_store::{AppendError, EventStore, Head, ReadStream};
use annals_store_log::{LogStore, OpenError};

/// How the log ends before it starts again.
#[derive(Clone, Copy)]
enum End {
    Closed,
    Dropped,
}

async fn restarted(store: LogStore, folder: &std::path::Path, end: End) -> LogStore {
    if let End::Closed = end {
        store.close().await.unwrap();
    }
    drop(store);
    open(folder).await
}

#[tokio::test]
async fn events_marks_and_heads_are_there_after_a_restart() {
    for end in [End::Closed, End::Dropped] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path()).await;
        let mut last = None;
        for round in 1..=4 {
            for index in 0..20 {
                append(&store, write(&format!("s-{index}"), 2, 1_000)).await;
            }
            let value = Sequence::new(round);
            append(&store, Append::new().set_mark(mark("m"), last, value)).await;
            last = Some(value);
            let (before, head) = (log(&store).await, store.head().await.unwrap());
            assert_eq!(before.0.len(), usize::try_from(round).unwrap() * 40);
            store = restarted(store, folder.path(), end).await;
            assert_eq!(log(&store).await, before);
            let opening = store.head().await.unwrap().opening;
            assert_ne!(opening, head.opening);
            assert_eq!(store.head().await.unwrap(), Head { opening, ..head });
            assert_eq!(store.mark(&mark("m")).await.unwrap(), last);
            let page = store.read_stream(ReadStream::forward(stream("s-7"))).await.unwrap();
            let versions: Vec<_> = page.events.iter().map(|event| event.version().get()).collect();
            assert_eq!(versions, (1..=round * 2).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn requests_are_recognised_after_a_restart() {
    for end in [End::Closed, End::Dropped] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let mut appends = Vec::new();
        for index in 0..100 {
            let write = write(&format!("s-{}", index % 7), 1 + index % 3, 1_000);
            appends.push((write.clone(), append(&store, write).await));
        }
        let store = restarted(store, folder.path(), end).await;
        let before = log(&store).await;
        for (write, receipt) in &appends {
            let repeated = Receipt { repeated: true, ..receipt.clone() };
            assert_eq!(append(&store, write.clone()).await, repeated);
            let other = Append { request_id: write.request_id, ..super::support::write("other", 1, 1) };
            let request_id = write.request_id;
            assert_eq!(store.append(other).await, Err(AppendError::RequestIdReused { request_id }));
        }
        assert_eq!(log(&store).await, before);
    }
}

#[tokio::test]
async fn an_exact_append_finds_its_own_events_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let events: Vec<NewEvent> = write("a", 3, 100).writes.remove(0).events;
    let first = Append::to(stream("a"), ExpectedVersion::NoStream, events);
    let receipt = append(&store, first.clone()).await;
    append(&store, write("b", 100, 2_000)).await;
    let store = restarted(store, folder.path(), End::Closed).await;
    let again = append(&store, Append { request_id: RequestId::generate(), ..first }).await;
    assert_eq!((again.events, again.versions, again.repeated), (receipt.events, receipt.versions, true));
}

#[tokio::test]
async fn one_folder_has_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let second = LogStore::open(folder.path(), small_segments()).await;
    let Err(error) = second else { panic!("two stores write one log") };
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(store);
    open(folder.path()).await;
}
