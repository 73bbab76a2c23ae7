//! What a worker does with the events that it gets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_event::{Append, CorrelationId, EventId, Sequence, limits};
use annals_reactor::{OnRefused, Options, ReactorError, ReactorWorker, WaitError};
use annals_store::{Activity, EventStore, GappedStore};
use common::troubled::{Call, Trouble, Troubled};
use common::{
    Account, ChargeOrders, LIMIT_CENTS, OrderPlaced, PATIENCE, append_all, charges, event_of, events, mark,
    order, repository, run_until, start, worker, writing,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn store() -> Arc<dyn EventStore> {
    Arc::new(GappedStore::new())
}

fn reacting(store: &Arc<dyn EventStore>, reactor: ChargeOrders) -> ReactorWorker {
    ReactorWorker::new(repository(store.clone()), reactor.reactor(), Options::default())
}

async fn balance(store: &Arc<dyn EventStore>, customer: &str) -> Account {
    repository(store.clone()).load(customer).await.unwrap().state
}

#[tokio::test]
async fn many_source_events_become_one_append() {
    let store = store();
    let orders = (0..500).map(|n| order(n, &format!("customer-{n}"), 5));
    let through = append_all(&*store, orders).await;
    let counting = Troubled::not(store.clone());
    run_until(worker(counting.store(), 1_000), through).await;
    let appends = writing(counting.appends());
    assert_eq!(appends.len(), 1);
    assert_eq!((appends[0].writes.len(), appends[0].event_count()), (501, 1_000));
    assert_eq!(balance(&store, "house").await.cents, 500);
}

#[tokio::test]
async fn events_that_come_later_are_handled_as_they_come() {
    let store = store();
    let (handle, stop, task) = start(worker(store.clone(), 10));
    for n in 0..3 {
        let placed = append_all(&*store, [order(n, "ada", 5)]).await;
        assert!(handle.wait_for(placed, PATIENCE).await.unwrap() >= placed);
        assert_eq!(balance(&store, "ada").await.cents, 5 * (u64::try_from(n).unwrap() + 1));
    }
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn outputs_say_what_caused_them_and_who_wrote_them() {
    let store = store();
    let request = CorrelationId::from_name("request");
    let mut correlated = order(1, "ada", 5);
    correlated.writes[0].events[0].metadata.correlation_id = Some(request);
    let through = append_all(&*store, [correlated, order(2, "bob", 5)]).await;
    run_until(worker(store.clone(), 10), through).await;

    let outputs = charges(&*store).await;
    let (first, second) = (EventId::from_name("order-1"), EventId::from_name("order-2"));
    let of = |cause| outputs.iter().filter(move |output| output.metadata.causation_id == Some(cause));
    assert_eq!((of(first).count(), of(second).count()), (2, 2));
    assert!(of(first).all(|output| output.metadata.correlation_id == Some(request)));
    assert!(of(second).all(|output| output.metadata.correlation_id == Some(CorrelationId::from(second))));
    assert!(outputs.iter().all(|output| output.metadata.headers["service"] == "accounts"));
    let ids: Vec<_> = of(first).map(|output| output.id).collect();
    let derived = [0, 1].map(|index| EventId::derived("charge-orders", first, index));
    assert!(derived.iter().all(|id| ids.contains(id)), "{ids:?}");
}

#[tokio::test]
async fn progress_over_events_without_outputs_is_saved_now_and_then() {
    let store = store();
    let visits = (0..30).map(|n| event_of(&format!("visit-{n}"), "visit.begun", "{}"));
    let through = append_all(&*store, visits).await;
    let counting = Troubled::not(store.clone());
    let options = Options { progress_every: 10, ..Options::default() };
    let patient =
        ReactorWorker::new(repository(counting.store()), ChargeOrders::default().reactor(), options);
    let (handle, _stop, task) = start(patient);
    handle.wait_for(through, PATIENCE).await.unwrap();
    // The position is told when the events are handled, and the mark is set next.
    let next = append_all(&*store, [event_of("visit-30", "visit.begun", "{}")]).await;
    handle.wait_for(next, PATIENCE).await.unwrap();
    assert_eq!(store.mark(&mark()).await.unwrap(), Some(through), "the last one is not worth an append yet");
    assert!(counting.appends().iter().all(|append| append.writes.is_empty()));
    task.abort();
}

#[tokio::test]
async fn what_was_passed_over_before_an_orderly_end_is_looked_at_again() {
    let store = store();
    let placed = append_all(&*store, [order(1, "ada", 5)]).await;
    let through = append_all(&*store, [event_of("visit-1", "visit.begun", "{}")]).await;
    for _ in 0..2 {
        run_until(worker(store.clone(), 10), through).await;
        assert_eq!(store.mark(&mark()).await.unwrap(), Some(placed));
        assert_eq!(events(&*store, "account").await.len(), 2);
    }
}

#[tokio::test]
async fn an_orderly_end_without_an_answer_is_no_error_and_loses_nothing() {
    let store = store();
    let visited = append_all(&*store, [event_of("visit-1", "visit.begun", "{}")]).await;
    // Calls: mark, subscribe, mark, next, next, two loads, append.
    let troubled = Troubled::at(store.clone(), 7, Trouble::HoldAndLoseAnswer);
    let (handle, stop, task) = start(worker(troubled.store(), 10));
    handle.wait_for(visited, PATIENCE).await.unwrap();
    let placed = append_all(&*store, [order(1, "ada", 5)]).await;
    troubled.hit().await;
    stop.cancel();
    troubled.release();
    task.await.unwrap().unwrap();
    assert_eq!(troubled.calls()[7..], [Call::Append], "nothing is added to what is in doubt");
    assert_eq!(store.mark(&mark()).await.unwrap(), Some(placed));
    run_until(worker(store.clone(), 10), placed).await;
    assert_eq!(charges(&*store).await.len(), 2);
}

#[tokio::test]
async fn a_reactor_that_panics_has_handled_all_before_and_names_the_event() {
    let store = store();
    append_all(&*store, [order(1, "ada", 5), order(2, "bob", 5), order(3, "ada", 5)]).await;
    let placed = events(&*store, "order").await;
    let note_bytes = |order: &OrderPlaced| if order.customer == "bob" { panic!("no bob") } else { 0 };
    let reactor = ChargeOrders { note_bytes, ..ChargeOrders::default() };
    let error = reacting(&store, reactor).run(Default::default()).await.unwrap_err();
    let ReactorError::Panicked { sequence, .. } = &error else { panic!("{error}") };
    assert_eq!(*sequence, placed[1].sequence);
    assert!(error.to_string().ends_with("the code that handles it panicked: no bob"), "{error}");
    assert_eq!(store.mark(&mark()).await.unwrap(), Some(placed[0].sequence));
}

#[tokio::test]
async fn a_refused_command_stops_the_worker_before_its_event() {
    let store = store();
    let orders = [order(1, "ada", 5), order(2, "bob", LIMIT_CENTS + 1), order(3, "cy", 5)];
    append_all(&*store, orders).await;
    let placed = events(&*store, "order").await;
    let error = worker(store.clone(), 10).run(Default::default()).await.unwrap_err();
    assert!(
        matches!(&error, ReactorError::Rejected { sequence, id, .. } if *sequence == placed[1].sequence && id == "bob"),
        "{error}"
    );
    assert_eq!(store.mark(&mark()).await.unwrap(), Some(placed[0].sequence));
    assert_eq!(charges(&*store).await.len(), 2, "what came before is done, nothing of what comes after");
}

#[tokio::test]
async fn a_refused_command_can_be_skipped() {
    let store = store();
    let orders = [order(1, "ada", 5), order(2, "bob", LIMIT_CENTS + 1), order(3, "cy", 5)];
    let through = append_all(&*store, orders).await;
    run_until(
        reacting(&store, ChargeOrders { rejected: OnRefused::Skip, ..ChargeOrders::default() }),
        through,
    )
    .await;
    let streams: Vec<_> = charges(&*store).await.into_iter().map(|output| output.stream).collect();
    assert_eq!(streams, ["account-ada", "account-cy", "account-house", "account-house", "account-house"]);
}

#[tokio::test]
async fn an_event_that_cannot_be_decoded_stops_the_worker_and_is_named() {
    let store = store();
    append_all(&*store, [order(1, "ada", 5), event_of("order-2", "order.placed", "[]"), order(3, "cy", 5)])
        .await;
    let placed = events(&*store, "order").await;
    let error = worker(store.clone(), 10).run(Default::default()).await.unwrap_err();
    let named = format!("event {} of stream \"order-2\": event type \"order.placed\"", placed[1].sequence);
    assert!(error.to_string().starts_with(&named), "{error}");
    assert_eq!(store.mark(&mark()).await.unwrap(), Some(placed[0].sequence));
}

#[tokio::test]
async fn a_reactor_that_failed_says_how_far_behind_the_log_it_is_now() {
    let store = store();
    let (handle, _stop, task) = start(worker(store.clone(), 10));
    append_all(&*store, [event_of("order-1", "order.placed", "[]")]).await;
    task.await.unwrap().unwrap_err();
    for n in 2..5 {
        let head = append_all(&*store, [order(n, "ada", 5)]).await;
        let is_known = || handle.state().head == head;
        tokio::time::timeout(PATIENCE, until(is_known)).await.expect("the head is told");
        let state = handle.state();
        assert_eq!((state.lag(), state.stale_since), (head.get() - state.position.get(), None));
        assert!(state.oldest.is_some() && matches!(state.activity, Activity::Stopped { .. }), "{state:?}");
    }
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn outputs_over_the_limit_of_an_append_go_into_several() {
    let store = store();
    let through = append_all(&*store, (0..10).map(|n| order(n, &format!("customer-{n}"), 5))).await;
    let counting = Troubled::not(store.clone());
    let reactor = ChargeOrders { note_bytes: |_| 900 << 10, ..ChargeOrders::default() };
    let large = reacting(&counting.store(), reactor);
    run_until(large, through).await;
    let sizes: Vec<_> = writing(counting.appends()).iter().map(Append::event_count).collect();
    assert_eq!(sizes, [8, 8, 4], "four of 900 KiB fit, each with a small one");
    assert_eq!(charges(&*store).await.len(), 20);
}

#[tokio::test]
async fn events_whose_outputs_need_several_appends_are_handled_a_few_times_only() {
    const EVENTS: usize = 60;
    static LOOKED_AT: AtomicUsize = AtomicUsize::new(0);
    let store = store();
    let through = append_all(&*store, (0..EVENTS).map(|n| order(n, &format!("customer-{n}"), 5))).await;
    let note_bytes = |_: &OrderPlaced| {
        LOOKED_AT.fetch_add(1, Ordering::Relaxed);
        900 << 10
    };
    let reactor = ChargeOrders { note_bytes, ..ChargeOrders::default() };
    run_until(reacting(&store, reactor), through).await;
    assert_eq!(charges(&*store).await.len(), 2 * EVENTS);
    let looked_at = LOOKED_AT.load(Ordering::Relaxed);
    assert!(looked_at <= 4 * EVENTS, "{EVENTS} events were looked at {looked_at} times");
}

#[tokio::test]
async fn an_output_that_cannot_be_appended_stops_the_worker_naming_its_source() {
    let store = store();
    append_all(&*store, [order(1, "ada", 5), order(2, "bob", 6), order(3, "cy", 5)]).await;
    let placed = events(&*store, "order").await;
    let note_bytes = |order: &OrderPlaced| if order.cents == 6 { limits::PAYLOAD_BYTES_MAX } else { 0 };
    let reactor = ChargeOrders { note_bytes, ..ChargeOrders::default() };
    let error = reacting(&store, reactor).run(Default::default()).await.unwrap_err();
    assert!(
        matches!(&error, ReactorError::Append { through, .. } if *through == placed[1].sequence),
        "{error}"
    );
    assert_eq!(charges(&*store).await.len(), 2, "what came before is done, nothing of what comes after");
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_at_the_start() {
    for customer in ["", &"x".repeat(300)] {
        let store = store();
        let through = append_all(&*store, [order(1, customer, 5)]).await;
        let error = worker(store.clone(), 10).run(Default::default()).await.unwrap_err();
        assert!(
            matches!(error, ReactorError::InvalidTarget { sequence, .. } if sequence == through),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reactor_that_waits_for_the_store_says_so_and_runs_again_afterwards() {
    // Calls: mark, subscribe, mark, next, two loads, which try again by themselves, append. The clock is the test's: looking takes less
    // than any wait of the worker.
    let troubles =
        [(Trouble::Fail, "retrying", "not done"), (Trouble::OtherLog, "other_history", "holds log 0202")];
    for (call, (trouble, word, reason)) in
        [0, 1, 2, 3, 6].into_iter().flat_map(|call| troubles.map(|it| (call, it)))
    {
        let store = store();
        let through = append_all(&*store, [order(1, "ada", 5)]).await;
        let troubled = Troubled::at(store.clone(), call, trouble);
        let (handle, stop, task) = start(worker(troubled.store(), 10));
        while handle.state().activity.word() != word {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let state = handle.state();
        assert!(state.activity.reason().unwrap().contains(reason), "{state:?}");
        handle.wait_for(through, PATIENCE).await.unwrap();
        while handle.state().activity != Activity::Running {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
        task.await.unwrap().unwrap();
        assert!(matches!(handle.state().activity, Activity::Stopped { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_to_stop_does_not_wait_for_a_silent_store() {
    // Calls: mark, subscribe, mark, next, two loads, append.
    for call in 0..=6 {
        let store = store();
        let through = append_all(&*store, [order(1, "ada", 5)]).await;
        let silent = Troubled::at(store.clone(), call, Trouble::KillBefore);
        let (_, stop, task) = start(worker(silent.store(), 10));
        silent.hit().await;
        stop.cancel();
        task.await.unwrap().unwrap();
        run_until(worker(store.clone(), 10), through).await;
        assert_eq!(charges(&*store).await.len(), 2, "silent at call {call}: nothing is lost or done twice");
    }
}

#[tokio::test]
async fn a_reactor_whose_run_is_aborted_has_stopped() {
    let store = store();
    let through = append_all(&*store, [order(1, "ada", 5)]).await;
    let (handle, _stop, task) = start(worker(store.clone(), 10));
    assert_eq!(handle.state().activity, Activity::Starting);
    handle.wait_for(through, PATIENCE).await.unwrap();
    task.abort();
    let waited = handle.wait_for(Sequence::MAX, PATIENCE).await;
    assert!(matches!(waited, Err(WaitError::Stopped { .. })), "{waited:?}");
    assert!(matches!(handle.state().activity, Activity::Stopped { .. }));
}

#[tokio::test]
async fn a_wait_that_ends_without_the_reactor_says_where_it_is() {
    let store = store();
    let through = append_all(&*store, [order(1, "bob", LIMIT_CENTS + 1)]).await;
    let refusing = worker(store.clone(), 10);
    let handle = refusing.handle();
    let waited = handle.wait_for(Sequence::FIRST, Duration::ZERO).await;
    assert_eq!(waited, Err(WaitError::Behind { position: Sequence::ZERO, wanted: Sequence::FIRST }));
    let reason = refusing.run(Default::default()).await.unwrap_err().to_string();
    let waited = handle.wait_for(through, PATIENCE).await;
    assert_eq!(waited, Err(WaitError::Stopped { position: Sequence::ZERO, wanted: through, reason }));
}
