//! Appends that are restricted to one opening of the log.

use super::{
    Store,
    fixture::{append, events, fill, log, mark, of, stream},
};
use crate::{AppendError, chain_in};
use annals_event::{Append, Conflict, ExpectedVersion, Opening, RequestId, Sequence};

async fn opening(store: &Store) -> Opening {
    store.head().await.unwrap().opening
}

pub async fn the_opening_stays_the_same_while_the_log_grows(store: Store) {
    let before = opening(&store).await;
    fill(&store, 20).await;
    assert_eq!(opening(&store).await, before);
    let last = store.head().await.unwrap().last;
    assert!(chain_in(&*store, last, before).await.is_ok());
    for at in [last, last.next()] {
        let other = chain_in(&*store, at, Opening::from_bytes([7; 16])).await;
        assert!(other.is_err_and(|error| error.is_retryable()));
    }
}

pub async fn an_append_for_another_opening_is_refused_and_changes_nothing(store: Store) {
    let (expected, actual) = (Opening::from_bytes([7; 16]), opening(&store).await);
    append(&store, of("a", 1).only_in(actual)).await;
    let before = log(&store).await;
    let to_mark = Append::new().set_mark(mark("m"), None, Sequence::FIRST);
    for refused in [of("a", 1), of("b", 3), to_mark.clone()] {
        let error = store.append(refused.only_in(expected)).await;
        assert_eq!(error, Err(AppendError::Conflict(Conflict::Opening { expected, actual })));
    }
    assert_eq!(log(&store).await, before);
    assert_eq!(store.mark(&mark("m")).await, Ok(None));
    append(&store, to_mark.only_in(actual)).await;
}

pub async fn a_repeat_gets_the_first_result_whatever_opening_it_names(store: Store) {
    let other = Opening::from_bytes([7; 16]);
    let once = Append::to(stream("a"), ExpectedVersion::NoStream, events(2));
    let found_by_its_events = Append { request_id: RequestId::generate(), ..once.clone() };
    let first = append(&store, once.clone().only_in(opening(&store).await)).await;
    for again in [once.clone(), once.only_in(other), found_by_its_events.only_in(other)] {
        let again = append(&store, again).await;
        assert!(again.repeated);
        assert_eq!(again.events, first.events);
    }
}
