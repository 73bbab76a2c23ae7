//! Reading the log: pages, positions between events, the head.

use super::{
    Store,
    fixture::{append, at_once, fill, log, log_by, of, page},
};
use crate::{LogPage, ReadLog};
use annals_event::{EventBatch, Sequence};

pub async fn an_empty_log_has_a_start_and_no_events(store: Store) {
    let head = store.head().await.unwrap();
    assert_eq!(head.last, Sequence::ZERO);
    assert!(head.first > Sequence::ZERO);
    for from in [Sequence::ZERO, Sequence::FIRST] {
        let page = page(&store, ReadLog::from(from)).await;
        let empty = LogPage { events: EventBatch::empty(), through: Sequence::ZERO, head: Sequence::ZERO };
        assert_eq!(page, empty);
    }
}

pub async fn the_log_is_read_page_by_page(store: Store) {
    let whole = fill(&store, 23).await;
    assert_eq!(whole.len(), 23);
    for events_max in [0, 1, 2, 7, 22, 23, 24, usize::MAX] {
        let read = ReadLog { events_max, ..ReadLog::from(Sequence::FIRST) };
        assert_eq!(log_by(&store, read).await, whole, "{events_max} a page");
    }
}

pub async fn a_page_stays_within_its_bytes_but_gives_at_least_one_event(store: Store) {
    const PAYLOAD_BYTES: usize = 10_000;
    for _ in 0..20 {
        let mut write = of("large", 1);
        write.writes[0].events[0].payload = vec![b' '; PAYLOAD_BYTES].into();
        append(&store, write).await;
    }
    let whole = log(&store).await;
    for bytes_max in [0, 1, PAYLOAD_BYTES, 4 * PAYLOAD_BYTES, usize::MAX] {
        let read = ReadLog { bytes_max, ..ReadLog::from(Sequence::FIRST) };
        let first = page(&store, read.clone()).await;
        assert!(!first.events.is_empty());
        let about = bytes_max.saturating_add(2 * PAYLOAD_BYTES);
        assert!(first.events.size_bytes() <= about, "{} bytes for {bytes_max}", first.events.size_bytes());
        assert_eq!(log_by(&store, read).await, whole, "{bytes_max} bytes a page");
    }
}

pub async fn the_log_is_read_from_any_position_also_between_events(store: Store) {
    let whole = fill(&store, 12).await;
    let last = whole[11].sequence.get();
    for from in (0..=last).map(Sequence::new) {
        let wanted: Vec<_> = whole.iter().filter(|event| event.sequence >= from).cloned().collect();
        assert_eq!(log_by(&store, ReadLog::from(from)).await, wanted, "from {from}");
    }
}

pub async fn a_read_beyond_the_head_is_empty(store: Store) {
    let whole = fill(&store, 3).await;
    let head = whole[2].sequence;
    for beyond in [head.next(), head.plus(2), head.plus(1_000), Sequence::MAX] {
        let page = page(&store, ReadLog::from(beyond)).await;
        assert_eq!(page, LogPage { events: EventBatch::empty(), through: beyond.previous(), head });
    }
}

pub async fn the_head_moves_with_every_append(store: Store) {
    let log_id = store.head().await.unwrap().log_id;
    let first = append(&store, of("a", 1)).await;
    let mut last = first.head;
    for _ in 0..10 {
        let receipt = append(&store, of("a", 2)).await;
        let head = store.head().await.unwrap();
        assert!(receipt.head > last);
        assert_eq!((head.last, head.first), (receipt.head, first.head));
        assert_eq!(head.log_id, log_id, "a log keeps its id");
        last = receipt.head;
    }
}

pub async fn two_readers_see_the_same_order(store: Store) {
    let receipts = at_once(8, |index| {
        let store = store.clone();
        async move {
            for _ in 0..10 {
                append(&store, of(&format!("own-{index}"), 2)).await;
            }
        }
    });
    receipts.await;
    let whole = log(&store).await;
    let logs = at_once(4, |index| {
        let store = store.clone();
        async move {
            log_by(&store, ReadLog { events_max: 1 + index * 3, ..ReadLog::from(Sequence::FIRST) }).await
        }
    });
    assert_eq!(whole.len(), 160);
    assert!(logs.await.into_iter().all(|log| log == whole));
}
