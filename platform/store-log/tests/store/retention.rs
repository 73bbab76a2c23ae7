//! A log whose oldest events were dropped, seen as a store.

use super::support::{append, open, stream, write};
use annals_event::{Sequence, Version};
use annals_store::{AppendError, Direction, EventStore, ReadError, ReadLog, ReadStream};
use annals_store_log::{LogStore, Retainer, Retention};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const NOTHING: Retention = Retention { age_max: None, bytes_max: Some(0) };

/// A stream that will be dropped entirely, and one whose end stays.
async fn filled(store: &LogStore) -> annals_event::Append {
    let first = write("old-1", 2, 100);
    append(store, first.clone()).await;
    for _ in 0..300 {
        append(store, write("new-1", 1, 1_000)).await;
    }
    first
}

#[tokio::test]
async fn what_was_dropped_is_said_to_be_gone_and_what_is_left_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let dropped = filled(&store).await;
    let first = store.retain(NOTHING).await.unwrap().first;
    let head = store.head().await.unwrap();
    assert!(first > Sequence::new(100));
    assert_eq!((head.first, head.last), (first, Sequence::new(302)));

    let requested = first.previous();
    let below = store.read_log(ReadLog::from(requested)).await;
    assert_eq!(below, Err(ReadError::BelowStart { requested, first }));
    assert_eq!(store.read_log(ReadLog::from(first)).await.unwrap().events.first().unwrap().sequence(), first);
    assert!(matches!(store.hold(requested), Err(ReadError::BelowStart { .. })));

    for name in ["old-1", "new-1"] {
        let error = store.read_stream(ReadStream::forward(stream(name))).await.unwrap_err();
        assert_eq!(error, ReadError::BelowStart { requested: Sequence::ZERO, first });
        assert!(error.to_string().starts_with("an event of the stream is no longer in the log"), "{error}");
    }
    let backward = ReadStream { direction: Direction::Backward, ..ReadStream::backward(stream("old-1")) };
    let page = store.read_stream(backward).await.unwrap();
    assert_eq!((page.events.len(), page.version, page.next), (0, Version::new(2), None));
    let beyond = ReadStream::forward(stream("old-1")).from(Version::new(3));
    assert_eq!(store.read_stream(beyond).await.unwrap().version, Version::new(2));

    let request_id = dropped.request_id;
    assert_eq!(store.append(dropped).await, Err(AppendError::OriginalDropped { request_id }));
    assert_eq!(append(&store, write("old-1", 1, 10)).await.versions, [Version::new(3)]);
}

#[tokio::test]
async fn the_retainer_drops_in_the_background_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    filled(&store).await;
    let shutdown = CancellationToken::new();
    let retainer = Retainer::new(store.clone(), NOTHING).every(Duration::from_millis(1));
    let running = tokio::spawn(retainer.run(shutdown.clone()));
    while store.head().await.unwrap().first == Sequence::FIRST {
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    running.await.unwrap();
}
