//! A reaction happens exactly once: killed at each step, with answers lost and calls failing, with two copies at
//! work, with others writing to the same streams.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod common;

use annals_aggregate::Cause;
use annals_event::{Append, Sequence};
use annals_reactor::ReactorError;
use annals_store::{EventStore, GappedStore};
use common::planted::{Bug, Planted};
use common::troubled::{Call, Trouble, Troubled};
use common::{
    Charge, Output, PATIENCE, charges, mark, place_orders, repository, run_until, start, try_run_until,
    worker, writing,
};
use std::sync::Arc;

const BATCH_EVENTS: usize = 5;
/// A worker that goes on after a crash seldom finds the same batches again.
const BATCH_EVENTS_AFTER_CRASH: usize = 7;

async fn shop() -> (Arc<dyn EventStore>, Sequence) {
    let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let through = place_orders(&*store).await;
    (store, through)
}

/// What comes out when nothing goes wrong, and which calls it takes.
async fn undisturbed() -> (Vec<Output>, Vec<Call>) {
    let (store, through) = shop().await;
    let counting = Troubled::not(store.clone());
    run_until(worker(counting.store(), BATCH_EVENTS), through).await;
    (charges(&*store).await, counting.calls())
}

/// The store, as a worker with the bug uses it.
fn with(bug: Bug) -> impl Fn(Arc<dyn EventStore>) -> Arc<dyn EventStore> {
    move |store| Planted::over(store, bug)
}

/// What comes out when the worker meets `trouble` at the call with this number and, if it died of it, a new one
/// goes on.
async fn disturbed(
    call: usize,
    trouble: Trouble,
    plant: impl Fn(Arc<dyn EventStore>) -> Arc<dyn EventStore>,
) -> Result<Vec<Output>, ReactorError> {
    let (store, through) = shop().await;
    let troubled = Troubled::at(store.clone(), call, trouble);
    let (handle, _stop, task) = start(worker(plant(troubled.store()), BATCH_EVENTS));
    tokio::select! {
        () = troubled.hit() => {}
        reached = handle.wait_for(through, PATIENCE) => drop(reached.unwrap()),
    }
    task.abort();
    let _ = task.await;
    try_run_until(worker(plant(store.clone()), BATCH_EVENTS_AFTER_CRASH), through).await?;
    Ok(charges(&*store).await)
}

#[tokio::test]
async fn whatever_fails_at_any_call_outputs_are_those_of_an_undisturbed_run() {
    let (expected, calls) = undisturbed().await;
    assert_eq!(expected.len(), 24, "an order charges two accounts");
    assert!([Call::Append, Call::ReadStream, Call::Mark, Call::Next].iter().all(|call| calls.contains(call)));
    for trouble in Trouble::CRASHES {
        for (number, call) in calls.iter().enumerate() {
            let outputs = disturbed(number, trouble, |store| store).await.unwrap();
            assert_eq!(outputs, expected, "{trouble:?} at call {number}, {call:?}");
        }
    }
}

#[tokio::test]
async fn planted_bug_reactor_mark_outside_the_append_is_caught() {
    let (expected, calls) = undisturbed().await;
    let (mut doubled, mut stuck) = (0, 0);
    for number in 0..calls.len() {
        match disturbed(number, Trouble::KillBefore, with(Bug::MarkOutsideAppend)).await {
            Ok(outputs) if outputs == expected => {}
            Ok(outputs) => {
                assert!(outputs.len() > expected.len(), "accounts are charged twice");
                doubled += 1;
            }
            // Where the batch happens to be the same one again, its request id tells that it was done.
            Err(_) => stuck += 1,
        }
    }
    assert!(doubled > 0, "a crash between outputs and mark was not noticed");
    assert!(doubled + stuck >= expected.len() / (2 * BATCH_EVENTS), "one such crash for each append");
    println!(
        "MarkOutsideAppend is caught: {doubled} crashes charge accounts twice, after {stuck} nothing goes on"
    );
}

/// Two copies: one is held back until the other one is done, and decides on its outputs. It must notice, and change
/// nothing.
async fn second_copy(plant: impl Fn(Arc<dyn EventStore>) -> Arc<dyn EventStore>) -> Result<(), String> {
    let (store, through) = shop().await;
    let (expected, calls) = undisturbed().await;
    let at = calls.iter().position(|made| *made == Call::ReadStream).unwrap();
    let troubled = Troubled::at(store.clone(), at, Trouble::Hold);
    let (handle, stop, late) = start(worker(plant(troubled.store()), 100));
    troubled.hit().await;
    run_until(worker(store.clone(), BATCH_EVENTS), through).await;
    troubled.release();
    let _ = handle.wait_for(through, PATIENCE).await;
    stop.cancel();
    let (late, outputs) = (late.await.unwrap(), charges(&*store).await);
    if outputs.len() != expected.len() {
        return Err(format!("a second copy makes {} outputs of {}", outputs.len(), expected.len()));
    }
    let fenced = matches!(late, Err(ReactorError::Fenced { .. })) && outputs == expected;
    if fenced { Ok(()) } else { Err(format!("a second copy that came late ended with {late:?}")) }
}

#[tokio::test]
async fn planted_bug_reactor_mark_not_compared_is_caught() {
    second_copy(|store| store).await.expect("the worker without the bug is fenced");
    let caught = second_copy(with(Bug::MarkNotCompared)).await;
    let violation = caught.expect_err("two copies were not noticed");
    println!("MarkNotCompared is caught: {violation}");
}

/// Two copies: one is held back at its first call of this kind until the other one is done.
async fn second_copy_held_at(call: Call, batch_events_max: usize) {
    second_copy_held_until(call, batch_events_max, BATCH_EVENTS).await;
}

/// The same with another batch of the copy that is first.
async fn second_copy_held_until(call: Call, batch_events_max: usize, first_batch_events_max: usize) {
    let (store, through) = shop().await;
    let (_, calls) = undisturbed().await;
    let at = calls.iter().position(|made| *made == call).unwrap();
    let troubled = Troubled::at(store.clone(), at, Trouble::Hold);
    let (_, _stop, late) = start(worker(troubled.store(), batch_events_max));
    troubled.hit().await;
    run_until(worker(store.clone(), first_batch_events_max), through).await;
    let after_one = charges(&*store).await;

    troubled.release();
    let error = late.await.unwrap().unwrap_err();
    assert!(matches!(&error, ReactorError::Fenced { actual, .. } if *actual >= Some(through)), "{error:?}");
    assert_eq!(charges(&*store).await, after_one);
    assert_eq!(after_one, undisturbed().await.0);
}

#[tokio::test]
async fn a_second_copy_that_comes_late_with_the_same_append_is_fenced() {
    second_copy_held_at(Call::Append, BATCH_EVENTS).await;
}

#[tokio::test]
async fn a_second_copy_that_repeats_all_that_the_first_one_did_is_fenced() {
    second_copy_held_until(Call::Append, 100, 100).await;
}

#[tokio::test]
async fn a_worker_whose_lost_answers_the_adapter_asks_for_again_goes_on() {
    let (store, through) = shop().await;
    let repeating = Troubled::repeating(store.clone());
    try_run_until(worker(repeating.store(), BATCH_EVENTS), through).await.unwrap();
    assert_eq!(charges(&*store).await, undisturbed().await.0);
    assert!(store.mark(&mark()).await.unwrap() >= Some(through));
}

#[tokio::test]
async fn a_second_copy_that_comes_late_with_another_append_is_fenced() {
    second_copy_held_at(Call::Append, BATCH_EVENTS - 2).await;
    second_copy_held_at(Call::Append, 100).await;
}

#[tokio::test]
async fn a_second_copy_that_decides_on_the_first_ones_outputs_is_fenced() {
    second_copy_held_at(Call::ReadStream, BATCH_EVENTS).await;
}

#[tokio::test]
async fn after_a_conflict_events_are_handled_singly_and_then_in_batches_again() {
    let (store, through) = shop().await;
    let (_, calls) = undisturbed().await;
    let first_append = calls.iter().position(|call| *call == Call::Append).unwrap();
    let troubled = Troubled::at(store.clone(), first_append, Trouble::Hold);
    let (handle, stop, task) = start(worker(troubled.store(), BATCH_EVENTS));
    // 1. The worker has decided on five orders. 2. A user charges one of their accounts. 3. The worker appends.
    troubled.hit().await;
    let charge = Charge { cents: 7, note: "by hand".into() };
    repository(store.clone()).execute("ada", charge, Cause::new()).await.unwrap();
    troubled.release();
    handle.wait_for(through, PATIENCE).await.unwrap();
    stop.cancel();
    task.await.unwrap().unwrap();

    let events: Vec<_> = writing(troubled.appends()).iter().map(Append::event_count).collect();
    assert_eq!(events, [10, 2, 2, 2, 2, 2, 10, 4], "the refused batch, five single ones, batches again");
    let expected = undisturbed().await.0;
    let outputs = charges(&*store).await;
    assert_eq!(outputs.len(), expected.len() + 1);
    for output in expected {
        let same = outputs.iter().filter(|other| other.id == output.id && other.charged == output.charged);
        assert_eq!(same.count(), 1, "{output:?}");
    }
    assert!(store.mark(&mark()).await.unwrap() >= Some(through));
}
