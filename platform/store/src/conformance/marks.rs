//! Marks: compare-and-set in the same append as events.

use super::{
    Store,
    fixture::{append, at_once, events, log, mark, of, stream, version},
};
use crate::AppendError;
use annals_event::{Append, Conflict, ExpectedVersion::NoStream, Sequence};

fn at(sequence: u64) -> Option<Sequence> {
    Some(Sequence::new(sequence))
}

fn moved(name: &str, expected: Option<Sequence>, value: u64) -> Append {
    Append::new().set_mark(mark(name), expected, Sequence::new(value))
}

fn conflict(name: &str, expected: Option<Sequence>, actual: Option<Sequence>) -> AppendError {
    Conflict::Mark { mark: mark(name), expected, actual }.into()
}

pub async fn a_mark_is_unset_until_it_is_set(store: Store) {
    assert_eq!(store.mark(&mark("reactor/payments")).await.unwrap(), None);
    append(&store, moved("reactor/payments", None, 7)).await;
    assert_eq!(store.mark(&mark("reactor/payments")).await.unwrap(), at(7));
    assert_eq!(store.mark(&mark("reactor/shipping")).await.unwrap(), None);
}

pub async fn a_mark_moves_only_from_where_it_was_expected(store: Store) {
    assert_eq!(store.append(moved("m", at(3), 4)).await, Err(conflict("m", at(3), None)));
    append(&store, moved("m", None, 5)).await;
    for expected in [None, at(4), at(6), at(0)] {
        assert_eq!(store.append(moved("m", expected, 9)).await, Err(conflict("m", expected, at(5))));
    }
    assert_eq!(store.mark(&mark("m")).await.unwrap(), at(5));
    append(&store, moved("m", at(5), 9)).await;
    assert_eq!(store.mark(&mark("m")).await.unwrap(), at(9));
}

pub async fn an_append_may_set_marks_alone(store: Store) {
    append(&store, of("a", 1)).await;
    let before = (log(&store).await, store.head().await.unwrap());
    let receipt = append(&store, moved("one", None, 1).set_mark(mark("two"), None, Sequence::new(2))).await;
    assert_eq!(receipt.events, None);
    assert_eq!(receipt.versions, []);
    assert_eq!(receipt.head, before.1.last);
    assert_eq!(store.mark(&mark("one")).await.unwrap(), at(1));
    assert_eq!(store.mark(&mark("two")).await.unwrap(), at(2));
    assert_eq!((log(&store).await, store.head().await.unwrap()), before, "marks are no events");
}

pub async fn a_mark_at_zero_is_not_an_unset_mark(store: Store) {
    append(&store, moved("m", None, 0)).await;
    assert_eq!(store.mark(&mark("m")).await.unwrap(), at(0));
    assert_eq!(store.append(moved("m", None, 1)).await, Err(conflict("m", None, at(0))));
    append(&store, moved("m", at(0), u64::MAX)).await;
    assert_eq!(store.mark(&mark("m")).await.unwrap(), at(u64::MAX));
}

pub async fn marks_and_events_are_one_append(store: Store) {
    append(&store, moved("m", None, 1).write(stream("a"), NoStream, events(1))).await;
    let stale_mark = moved("m", None, 2).write(stream("b"), NoStream, events(1));
    assert_eq!(store.append(stale_mark).await, Err(conflict("m", None, at(1))));
    assert_eq!(version(&store, "b").await, 0, "the mark was refused, and the event with it");
    let stale_stream = moved("m", at(1), 2).write(stream("a"), NoStream, events(1));
    assert!(matches!(store.append(stale_stream).await, Err(AppendError::Conflict(Conflict::Stream { .. }))));
    let stale_requirement = moved("m", at(1), 2).require(stream("a"), NoStream);
    assert!(matches!(
        store.append(stale_requirement).await,
        Err(AppendError::Conflict(Conflict::Stream { .. }))
    ));
    assert_eq!(store.mark(&mark("m")).await.unwrap(), at(1), "the stream was refused, and the mark with it");
    let one_stale_of_two = moved("m", at(1), 2).set_mark(mark("n"), at(4), Sequence::new(5));
    assert_eq!(store.append(one_stale_of_two).await, Err(conflict("n", at(4), None)));
    assert_eq!(store.mark(&mark("m")).await.unwrap(), at(1));
}

/// What fences off the second copy of a consumer.
pub async fn of_16_consumers_exactly_one_moves_the_mark(store: Store) {
    let mut expected = None;
    for round in 1..=20 {
        let answers = at_once(16, |index| {
            let output = stream(&format!("output-{index}-{round}"));
            let write = moved("m", expected, round).write(output, NoStream, events(1));
            let store = store.clone();
            async move { store.append(write).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "round {round}");
        assert!(lost.iter().all(|answer| *answer == Err(conflict("m", expected, at(round)))), "{lost:?}");
        expected = at(round);
    }
    assert_eq!(log(&store).await.len(), 20, "only the winner of each round wrote");
}

pub async fn marks_and_streams_of_one_name_do_not_meet(store: Store) {
    append(&store, of("same", 3)).await;
    assert_eq!(store.mark(&mark("same")).await.unwrap(), None);
    append(&store, moved("same", None, 9)).await;
    assert_eq!(version(&store, "same").await, 3);
}
