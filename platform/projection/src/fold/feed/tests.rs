use super::*;
use annals_event::{
    Append, EventBatchBuilder, EventType, ExpectedVersion, NewEvent, StreamName, Timestamp, Version,
};
use annals_store::{Filter, Head};
use annals_store_log::{LogStore, Options};
use tempfile::TempDir;

const APPEND_EVENTS: u64 = 2_000;

/// A log of `appends` appends; of every `one_in` events one is of the type `wanted`, the others of `other`.
async fn log(appends: u64, one_in: u64) -> (TempDir, LogStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::open(folder.path(), Options::with_segment_bytes(8 << 20)).await.unwrap();
    for append in 0..appends {
        let event = |index: u64| {
            let wanted = (append * APPEND_EVENTS + index).is_multiple_of(one_in);
            NewEvent::json(EventType::new(if wanted { "wanted" } else { "other" }).unwrap(), vec![b' '; 150])
        };
        let stream = StreamName::new(format!("s-{append}")).unwrap();
        let events = (0..APPEND_EVENTS).map(event).collect();
        store.append(Append::to(stream, ExpectedVersion::Any, events)).await.unwrap();
    }
    (folder, store)
}

/// All batches up to the head.
async fn batches(store: &LogStore) -> Vec<(Vec<EventBatch>, Span)> {
    let filter = Filter { event_types: vec![EventType::new("wanted").unwrap()], ..Filter::all() };
    let subscription = store.subscribe(Subscribe::after(Sequence::ZERO, filter)).await.unwrap();
    let Head { last: until, opening, .. } = store.head().await.unwrap();
    let (mut collector, mut batches) = (Collector::new(subscription, opening), Vec::new());
    let mut through = Sequence::ZERO;
    while through < until {
        let (events, span) = collector.collect(through, until).await.unwrap().unwrap();
        assert!(span.after == through && span.through > through);
        through = span.through;
        batches.push((events, span));
    }
    batches
}

fn total(events: &[EventBatch], of: impl Fn(&EventBatch) -> usize) -> usize {
    events.iter().map(of).sum()
}

#[tokio::test]
async fn a_batch_of_rare_events_keeps_no_more_memory_than_twice_their_bytes() {
    let (_folder, store) = log(40, 1_000).await;
    let batches = batches(&store).await;
    assert_eq!(batches.iter().map(|(events, _)| total(events, EventBatch::len)).sum::<usize>(), 80);
    for (events, span) in batches {
        let (kept, wanted) =
            (total(&events, EventBatch::buffer_bytes), total(&events, EventBatch::size_bytes));
        assert!(kept <= 2 * wanted, "{kept} bytes are kept for events of {wanted} bytes: {span:?}");
    }
}

#[tokio::test]
async fn no_batch_of_a_sparse_fold_spans_more_than_ten_thousand_numbers() {
    for one_in in [1_000, 1_000_000, 3] {
        let (_folder, store) = log(40, one_in).await;
        for (_, span) in batches(&store).await {
            let scanned = span.through.get() - span.after.get();
            assert!(scanned <= 10_000, "{scanned} sequence numbers at once, one in {one_in}: {span:?}");
        }
    }
}

#[tokio::test]
async fn a_dense_fold_gets_its_events_in_large_batches() {
    let (_folder, store) = log(40, 1).await;
    let batches = batches(&store).await;
    let (_last, full) = batches.split_last().unwrap();
    assert!(!full.is_empty());
    for (events, span) in full {
        assert!(total(events, EventBatch::len) >= BATCH_EVENTS, "{span:?}");
    }
}

/// Every hundredth event of these sequence numbers.
fn every_hundredth(sequences: std::ops::RangeInclusive<u64>) -> EventBatch {
    let mut builder = EventBatchBuilder::default();
    let (stream, event) =
        (StreamName::new("s").unwrap(), NewEvent::json(EventType::new("wanted").unwrap(), ""));
    for sequence in sequences.filter(|sequence| sequence.is_multiple_of(100)) {
        let (sequence, version) = (Sequence::new(sequence), Version::new(sequence));
        builder.push_new(&stream, &event, sequence, version, Timestamp::default()).unwrap();
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn what_one_delivery_brings_too_much_is_left_for_the_next_batches() {
    let (through, head) = (Sequence::new(25_000), Sequence::new(30_000));
    let delivery = Delivery { events: every_hundredth(1..=25_000), through, head, resumed: false };
    let rest = Delivery { events: EventBatch::empty(), through: head, head, resumed: false };
    let subscription = Subscription::new(futures::stream::iter([Ok(delivery), Ok(rest)]));
    let mut collector = Collector::new(subscription, Opening::generate());
    let mut after = Sequence::ZERO;
    for to in [10_000, 20_000, 30_000] {
        let (events, span) = collector.collect(after, head).await.unwrap().unwrap();
        assert_eq!((span.after, span.through.get()), (after, to));
        let sequences = |events: &[EventBatch]| {
            events.iter().flat_map(EventBatch::iter).map(|event| event.sequence()).collect::<Vec<_>>()
        };
        let expected = every_hundredth(after.get() + 1..=to.min(25_000));
        assert_eq!(sequences(&events), sequences(&[expected]));
        after = span.through;
    }
}
