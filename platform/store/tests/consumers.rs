//! What a consumer says about itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Receipt, Sequence, StreamName};
use annals_store::{
    Activity, Call, ConsumerBoard, ConsumerState, ConsumerWatch, EventStore, GappedStore, LOG_POLL,
    PROBE_TIME_MAX, Scene, Staged, Trouble,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

async fn append(store: &GappedStore) -> Receipt {
    let event = NewEvent::json(EventType::new("happened").unwrap(), "{}");
    let stream = StreamName::new("thing-1").unwrap();
    store.append(Append::to(stream, ExpectedVersion::Any, vec![event])).await.unwrap()
}

/// The first state that `wanted` accepts, while the board follows the log.
async fn state(
    board: &ConsumerBoard,
    store: &dyn EventStore,
    wanted: impl FnMut(&ConsumerState) -> bool,
) -> ConsumerState {
    let watch = board.watch();
    tokio::select! {
        never = board.follow_log(store) => match never {},
        state = watch.wait_for(wanted) => state,
    }
}

/// The same for a consumer that has stopped.
async fn until(watch: &ConsumerWatch, wanted: impl Fn(&ConsumerState) -> bool) -> ConsumerState {
    loop {
        let state = watch.state();
        if wanted(&state) {
            return state;
        }
        tokio::time::sleep(LOG_POLL).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_and_the_age_are_the_logs_and_not_what_was_delivered_last() {
    let (store, board) = (GappedStore::new(), ConsumerBoard::new());
    let seen = append(&store).await.head;
    board.heard(seen);
    board.moved(seen);
    let at_the_head = state(&board, &store, |state| state.head == seen).await;
    assert_eq!((at_the_head.lag(), at_the_head.oldest, at_the_head.age()), (0, None, Duration::ZERO));

    let (next, last) = (append(&store).await, append(&store).await);
    let behind = state(&board, &store, |state| state.head == last.head).await;
    assert_eq!((behind.position, behind.lag()), (seen, last.head.get() - seen.get()));
    assert_eq!(behind.oldest, Some(next.recorded_at), "of the first event that is not handled");

    board.moved(last.head);
    let caught_up = board.watch().state();
    assert_eq!((caught_up.activity, caught_up.oldest), (Activity::Running, None));
}

#[tokio::test(start_paused = true)]
async fn a_position_and_a_head_that_go_back_are_told_as_they_are() {
    let (store, board) = (GappedStore::new(), ConsumerBoard::new());
    let (first, last) = (append(&store).await, append(&store).await);
    board.moved(last.head);
    board.heard(last.head.plus(100));
    let restored = state(&board, &store, |state| state.head == last.head).await;
    assert_eq!(restored.lag(), 0);
    board.place(first.head);
    let rolled_back = state(&board, &store, |state| state.oldest.is_some()).await;
    assert_eq!(rolled_back.position, first.head);
    assert_eq!(rolled_back.oldest, Some(last.recorded_at));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_whose_log_does_not_answer_is_shown_as_retrying() {
    let ((_, store, silent), board) = (silent_when_told(), ConsumerBoard::new());
    board.moved(Sequence::FIRST);
    silent.store(true, Ordering::Relaxed);
    let away = state(&board, &*store, |state| state.activity != Activity::Running).await;
    let Activity::Retrying { reason } = away.activity else { panic!("{:?}", away.activity) };
    assert!(reason.contains(&format!("no answer within {PROBE_TIME_MAX:?}")), "{reason}");

    silent.store(false, Ordering::Relaxed);
    let back = state(&board, &*store, |state| state.activity == Activity::Running).await;
    assert!(back.since >= away.since, "it runs since the log answers again, and not since it began");
}

#[tokio::test(start_paused = true)]
async fn the_lag_of_a_consumer_that_failed_follows_the_log() {
    let (store, log, silent) = silent_when_told();
    let (board, handled) = (ConsumerBoard::new(), append(&store).await.head);
    board.moved(handled);
    let watch = board.watch();
    board.failed("the event is poison".to_owned(), &log);
    drop(board);

    let (next, last) = (append(&store).await, append(&store).await);
    let behind = until(&watch, |state| state.head == last.head).await;
    assert_eq!(behind.activity, Activity::Stopped { reason: "the event is poison".to_owned() });
    assert_eq!((behind.position, behind.oldest), (handled, Some(next.recorded_at)));
    assert_eq!(behind.lag(), last.head.get() - handled.get());

    silent.store(true, Ordering::Relaxed);
    let last = append(&store).await;
    let stale = until(&watch, |state| state.stale_since.is_some()).await;
    assert_eq!((stale.head, stale.oldest), (behind.head, behind.oldest), "what was known last");
    silent.store(false, Ordering::Relaxed);
    let known = until(&watch, |state| state.stale_since.is_none()).await;
    assert_eq!((known.head, known.since), (last.head, behind.since));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_failed_keeps_no_store_and_is_not_followed_for_nobody() {
    let log: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let board = ConsumerBoard::new();
    let watch = board.watch();
    board.failed("the event is poison".to_owned(), &log);
    until(&watch, |state| state.stale_since.is_none()).await;
    drop(log);
    assert!(until(&watch, |state| state.stale_since.is_some()).await.stale_since.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_was_known_of_the_log_is_stale_before_and_after_it_is_followed() {
    let (store, board) = (GappedStore::new(), ConsumerBoard::new());
    assert!(board.watch().state().stale_since.is_some());
    assert_eq!(state(&board, &store, |state| state.stale_since.is_none()).await.lag(), 0);
    append(&store).await;
    assert!(board.watch().state().stale_since.is_some(), "nobody follows the log any more");
}

#[tokio::test]
async fn what_keeps_a_consumer_has_a_beginning_and_its_last_reason() {
    let board = ConsumerBoard::new();
    let retrying = |reason: &str| Activity::Retrying { reason: reason.to_owned() };
    board.set(retrying("the disk is full"));
    let first = board.watch().state();
    board.set(retrying("the database is busy"));
    let second = board.watch().state();
    assert_eq!((second.since, second.activity), (first.since, retrying("the database is busy")));
}

#[tokio::test]
async fn a_dropped_consumer_has_stopped_and_a_stopped_one_keeps_its_reason() {
    let board = ConsumerBoard::new();
    let watch = board.watch();
    board.moved(Sequence::FIRST);
    drop(board);
    let state = watch.wait_for(|_| false).await;
    let Activity::Stopped { reason } = &state.activity else { panic!("{state:?}") };
    assert!(reason.contains("aborted"), "{reason}");

    let board = ConsumerBoard::new();
    let (watch, stopped) = (board.watch(), Activity::Stopped { reason: "it was shut down".to_owned() });
    board.set(stopped.clone());
    board.set(Activity::Running);
    board.moved(Sequence::FIRST);
    drop(board);
    assert_eq!(watch.state().activity, stopped);
}

/// A store whose head is not answered while it is silent.
fn silent_when_told() -> (GappedStore, Arc<dyn EventStore>, Arc<AtomicBool>) {
    let (below, silent) = (GappedStore::new(), Arc::new(AtomicBool::new(false)));
    let told = silent.clone();
    let staged = Staged::over(Arc::new(below.clone()), move |call, _| {
        let is_silent = call == Call::Head && told.load(Ordering::Relaxed);
        if is_silent { Scene::before(Trouble::Silence) } else { Scene::PASS }
    });
    (below, staged.store(), silent)
}
