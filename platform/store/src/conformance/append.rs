//! Order, places, atomicity and visibility of appends.

use super::{
    Store,
    fixture::{
        append, at_once, event, event_of, events, ids, log, mark, of, page, stream, stream_by, version,
    },
};
use crate::{ReadLog, ReadStream};
use annals_event::{
    Append,
    ExpectedVersion::{Any, NoStream},
    RecordedEvent, Sequence,
};
use std::pin::pin;

pub async fn an_appended_event_comes_back_with_its_place(store: Store) {
    let new = event();
    let receipt = append(&store, Append::to(stream("order-1"), Any, vec![new.clone()])).await;
    let [there] = <[RecordedEvent; 1]>::try_from(log(&store).await).unwrap();
    assert_eq!(there.event, new);
    assert_eq!(there.stream, stream("order-1"));
    assert_eq!(there.version.get(), 1);
    assert_eq!(there.recorded_at, receipt.recorded_at);
    assert_eq!(receipt.events.unwrap().first, there.sequence);
    assert!(there.sequence > Sequence::ZERO);
}

pub async fn events_get_sequence_numbers_in_the_order_of_the_append(store: Store) {
    let (first, second, third) = (events(3), events(2), events(1));
    let wanted: Vec<_> = [&first, &second, &third].into_iter().flatten().map(|event| event.id).collect();
    let write =
        Append::to(stream("b"), Any, first).write(stream("a"), Any, second).write(stream("c"), Any, third);
    append(&store, write).await;
    let log = log(&store).await;
    assert_eq!(ids(log.iter().map(|event| &event.event)), wanted);
    assert!(log.is_sorted_by(|a, b| a.sequence < b.sequence));
}

pub async fn every_stream_counts_its_own_versions(store: Store) {
    for round in 0..5 {
        append(&store, of("a-1", 1 + round % 2).write(stream("a-2"), Any, events(2))).await;
        append(&store, of("b-1", 3)).await;
    }
    for (name, count) in [("a-1", 7), ("a-2", 10), ("b-1", 15)] {
        let events = stream_by(&store, ReadStream::forward(stream(name))).await;
        let versions: Vec<_> = events.iter().map(|event| event.version.get()).collect();
        assert_eq!(versions, (1..=count).collect::<Vec<_>>(), "{name}");
    }
}

pub async fn the_receipt_agrees_with_the_log(store: Store) {
    append(&store, of("a", 2)).await;
    let receipt = append(&store, of("b", 3).write(stream("a"), Any, events(2))).await;
    let log = log(&store).await;
    let range = receipt.events.unwrap();
    assert_eq!((range.first, range.last), (log[2].sequence, log[6].sequence));
    assert_eq!(receipt.versions.iter().map(|version| version.get()).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(receipt.head, range.last);
    assert!(log[2..].iter().all(|event| event.recorded_at == receipt.recorded_at));
    assert!(!receipt.repeated);
}

pub async fn an_answered_append_is_visible_to_the_next_read(store: Store) {
    let answers = at_once(8, |index| {
        let store = store.clone();
        async move {
            for count in 1..=20 {
                let name = format!("own-{index}");
                let receipt = append(&store, of(&name, 1)).await;
                assert_eq!(version(&store, &name).await, count);
                assert!(store.head().await.unwrap().last >= receipt.head);
                let at = page(&store, ReadLog::from(receipt.head)).await;
                assert_eq!(at.events.first().unwrap().sequence(), receipt.head);
            }
        }
    });
    assert_eq!(answers.await.len(), 8);
}

pub async fn an_append_to_many_streams_is_all_or_nothing(store: Store) {
    append(&store, of("taken", 1)).await;
    let before = log(&store).await;
    for place in 0..5 {
        let mut refused = Append::new().set_mark(mark("m"), None, Sequence::FIRST);
        for index in 0..5 {
            let (name, expected) =
                if index == place { ("taken".into(), NoStream) } else { (format!("free-{index}"), Any) };
            refused = refused.write(stream(&name), expected, events(2));
        }
        assert!(store.append(refused).await.is_err());
    }
    assert_eq!(log(&store).await, before);
    assert_eq!(store.mark(&mark("m")).await.unwrap(), None);
    for index in 0..5 {
        assert_eq!(version(&store, &format!("free-{index}")).await, 0);
    }
}

pub async fn an_append_stays_together_among_many_writers(store: Store) {
    let receipts = at_once(8, |index| {
        let store = store.clone();
        async move {
            let mut receipts = Vec::new();
            for _ in 0..10 {
                let write = of(&format!("own-{index}"), 2).write(stream("shared"), Any, events(1));
                let wanted = ids(write.writes.iter().flat_map(|write| &write.events));
                receipts.push((append(&store, write).await, wanted));
            }
            receipts
        }
    });
    let receipts: Vec<_> = receipts.await.into_iter().flatten().collect();
    let log = log(&store).await;
    assert_eq!(log.len(), 8 * 10 * 3);
    for (receipt, wanted) in receipts {
        let range = receipt.events.unwrap();
        let within = log.iter().filter(|event| (range.first..=range.last).contains(&event.sequence));
        assert_eq!(ids(within.map(|event| &event.event)), wanted);
    }
}

pub async fn nothing_appears_below_a_position_that_was_readable(store: Store) {
    const WRITERS: usize = 8;
    let all = at_once(WRITERS + 1, |index| {
        let store = store.clone();
        async move {
            if index > 0 {
                for round in 0..25 {
                    append(&store, of(&format!("own-{index}"), 1 + round % 3)).await;
                }
                append(&store, Append::to(stream("ends"), Any, vec![event_of("ended")])).await;
                return;
            }
            let mut seen = Vec::new();
            while seen.iter().filter(|event: &&RecordedEvent| event.stream.as_str() == "ends").count()
                < WRITERS
            {
                let now = log(&store).await;
                assert_eq!(now[..seen.len()], seen[..], "what was readable has changed");
                seen = now;
                tokio::task::yield_now().await;
            }
        }
    });
    all.await;
}

pub async fn a_dropped_append_is_whole_or_absent(store: Store) {
    for round in 0..20 {
        let name = format!("dropped-{round}");
        {
            let mut started = pin!(store.append(of(&name, 3)));
            for _ in 0..round % 4 {
                if futures::poll!(started.as_mut()).is_ready() {
                    break;
                }
            }
        }
        append(&store, of("other", 1)).await;
        assert!([0, 3].contains(&version(&store, &name).await));
    }
}
