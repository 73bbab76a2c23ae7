//! Reading one stream, in both directions and in pages of every size.

use super::{
    Store,
    fixture::{append, events, ids, log, of, stream, stream_by, stream_ids},
};
use crate::{Direction, ReadStream, StreamPage};
use annals_event::{EventBatch, EventId, ExpectedVersion::Any, Version};

fn sized(read: ReadStream, events_max: usize) -> ReadStream {
    ReadStream { events_max, ..read }
}

/// A stream of `count` events, scattered among those of others.
async fn scattered(store: &Store, count: usize) -> Vec<EventId> {
    for index in 0..count {
        append(store, of("order-1", 1).write(stream(&format!("order-{}", 10 + index)), Any, events(1))).await;
    }
    let log = log(store).await;
    let of_stream = log.iter().filter(|event| event.stream.as_str() == "order-1");
    ids(of_stream.map(|event| &event.event))
}

pub async fn a_stream_that_does_not_exist_is_empty(store: Store) {
    append(&store, of("a", 1)).await;
    let empty = StreamPage { events: EventBatch::empty(), version: Version::ZERO, next: None };
    for read in [ReadStream::forward(stream("b")), ReadStream::backward(stream("b"))] {
        assert_eq!(store.read_stream(read).await.unwrap(), empty);
    }
}

pub async fn a_stream_is_read_forward_page_by_page(store: Store) {
    let wanted = scattered(&store, 11).await;
    for events_max in [1, 2, 3, 5, 10, 11, 12, 1_000] {
        let events = stream_by(&store, sized(ReadStream::forward(stream("order-1")), events_max)).await;
        assert_eq!(ids(events.iter().map(|event| &event.event)), wanted, "{events_max} a page");
        assert!(events.is_sorted_by(|a, b| a.version < b.version && a.sequence < b.sequence));
    }
}

pub async fn a_stream_is_read_backward_page_by_page(store: Store) {
    let mut wanted = scattered(&store, 11).await;
    wanted.reverse();
    for events_max in [1, 2, 3, 5, 10, 11, 12, 1_000] {
        let events = stream_by(&store, sized(ReadStream::backward(stream("order-1")), events_max)).await;
        assert_eq!(ids(events.iter().map(|event| &event.event)), wanted, "{events_max} a page");
    }
}

pub async fn a_stream_is_read_from_any_version(store: Store) {
    append(&store, of("a", 5)).await;
    let versions = async |read: ReadStream| -> Vec<u64> {
        let page = store.read_stream(read).await.unwrap();
        assert_eq!(page.version.get(), 5);
        page.events.iter().map(|event| event.version().get()).collect()
    };
    let (forward, backward) = (ReadStream::forward(stream("a")), ReadStream::backward(stream("a")));
    for (from, up, down) in [
        (0, vec![1, 2, 3, 4, 5], vec![]),
        (1, vec![1, 2, 3, 4, 5], vec![1]),
        (3, vec![3, 4, 5], vec![3, 2, 1]),
        (5, vec![5], vec![5, 4, 3, 2, 1]),
        (6, vec![], vec![5, 4, 3, 2, 1]),
        (u64::MAX, vec![], vec![5, 4, 3, 2, 1]),
    ] {
        assert_eq!(versions(forward.clone().from(Version::new(from))).await, up, "forward from {from}");
        assert_eq!(versions(backward.clone().from(Version::new(from))).await, down, "backward from {from}");
    }
}

pub async fn a_page_of_any_size_is_answered(store: Store) {
    append(&store, of("a", 3)).await;
    for direction in [Direction::Forward, Direction::Backward] {
        let from = if direction == Direction::Forward { Version::FIRST } else { Version::MAX };
        let read = |events_max| ReadStream { stream: stream("a"), from, direction, events_max };
        assert_eq!(store.read_stream(read(usize::MAX)).await.unwrap().events.len(), 3);
        let least = store.read_stream(read(0)).await.unwrap();
        assert_eq!(least.events.len(), 1, "0 counts as 1, so that a reader always gets on");
        assert_eq!(least.next, Some(Version::new(2)));
    }
}

pub async fn streams_with_names_alike_are_different_streams(store: Store) {
    let names = [
        "order-1",
        "order-10",
        "order-",
        "order",
        "Order-1",
        "order-1 ",
        "order-01",
        "ordér-1",
        "orde\u{301}r-1",
    ];
    let mut wanted = Vec::new();
    for name in names {
        let write = of(name, 1);
        wanted.push(ids(&write.writes[0].events));
        append(&store, write).await;
    }
    for (name, wanted) in names.into_iter().zip(wanted) {
        assert_eq!(stream_ids(&store, name).await, wanted, "{name:?}");
    }
}

pub async fn a_stream_with_thousands_of_events_is_whole(store: Store) {
    const COUNT: usize = 5_000;
    for _ in 0..5 {
        append(&store, of("long", COUNT / 5)).await;
        append(&store, of("other", 1)).await;
    }
    let events = stream_by(&store, ReadStream::forward(stream("long"))).await;
    let versions: Vec<_> = events.iter().map(|event| event.version.get()).collect();
    assert_eq!(versions, (1..=u64::try_from(COUNT).unwrap()).collect::<Vec<_>>());
    let back = stream_by(&store, ReadStream::backward(stream("long"))).await;
    assert!(events.iter().eq(back.iter().rev()));
}
