//! Where a reactor begins on a log that is older than it is: decided once, whatever happens at that moment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_event::{Sequence, Timestamp};
use annals_reactor::{Options, ReactorWorker, Start};
use annals_store::{EventStore, GappedStore};
use annals_store_log::LogStore;
use common::troubled::{Call, Trouble, Troubled};
use common::{ChargeOrders, PATIENCE, append_all, charges, mark, order, repository, run_until, start};
use std::sync::Arc;

fn beginning(store: &Arc<dyn EventStore>, start: Start) -> ReactorWorker {
    let reactor = ChargeOrders { start, ..ChargeOrders::default() }.reactor();
    ReactorWorker::new(repository(store.clone()), reactor, Options::default())
}

/// The sums that were charged to customers, not to the house.
async fn charged(store: &Arc<dyn EventStore>) -> Vec<u64> {
    let charges = charges(&**store).await.into_iter();
    let of_customers = charges.filter(|output| output.stream != "account-house");
    let mut cents: Vec<_> = of_customers.map(|output| output.charged.cents).collect();
    cents.sort_unstable();
    cents
}

async fn place(store: &Arc<dyn EventStore>, numbers: std::ops::Range<usize>) -> Sequence {
    append_all(&**store, numbers.map(|n| order(n, "ada", u64::try_from(n).unwrap()))).await
}

#[tokio::test]
async fn one_that_begins_now_reacts_to_nothing_that_was_there_before() {
    let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let old = place(&store, 10..13).await;
    run_until(beginning(&store, Start::Now), old).await;
    assert_eq!(store.mark(&mark()).await.unwrap(), Some(old));
    let new = place(&store, 13..15).await;
    run_until(beginning(&store, Start::Now), new).await;
    assert_eq!(charged(&store).await, [13, 14], "what came while it was down is not skipped");
}

#[tokio::test]
async fn one_that_begins_at_a_time_reacts_to_all_that_was_recorded_since() {
    let clocked = GappedStore::new();
    let store: Arc<dyn EventStore> = Arc::new(clocked.clone());
    for n in 10..14 {
        clocked.set_clock(Timestamp::from_micros(1_000 * i64::try_from(n).unwrap()));
        place(&store, n..n + 1).await;
    }
    let last = store.head().await.unwrap().last;
    run_until(beginning(&store, Start::At(Timestamp::from_micros(12_000))), last).await;
    assert_eq!(charged(&store).await, [12, 13]);
}

#[tokio::test]
async fn a_start_on_an_empty_log_counts_from_then_on() {
    let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let (_, stop, task) = start(beginning(&store, Start::Now));
    while store.mark(&mark()).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    task.await.unwrap().unwrap();
    let through = place(&store, 10..12).await;
    run_until(beginning(&store, Start::Now), through).await;
    assert_eq!(charged(&store).await, [10, 11]);
}

#[tokio::test]
async fn later_starts_look_at_the_mark_and_not_at_where_they_should_begin() {
    let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let old = place(&store, 10..12).await;
    run_until(beginning(&store, Start::Now), old).await;
    let new = place(&store, 12..13).await;
    run_until(beginning(&store, Start::Beginning), new).await;
    run_until(beginning(&store, Start::At(Timestamp::default())), new).await;
    assert_eq!(charged(&store).await, [12]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_that_start_at_once_begin_at_the_same_place() {
    for _ in 0..20 {
        let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
        let old = place(&store, 10..12).await;
        let copies = [(); 2].map(|()| start(beginning(&store, Start::Now)));
        for (handle, ..) in &copies {
            handle.wait_for(old, PATIENCE).await.unwrap();
        }
        assert_eq!(store.mark(&mark()).await.unwrap(), Some(old));
        let new = place(&store, 12..15).await;
        // One of them may be fenced off by the other.
        let reached = futures::future::select_all(copies.iter().map(|(handle, ..)| {
            Box::pin(async { handle.wait_for(new, PATIENCE).await.is_ok() || std::future::pending().await })
        }));
        reached.await;
        for (_, stop, task) in copies {
            stop.cancel();
            let _ = task.await.unwrap();
        }
        assert_eq!(charged(&store).await, [12, 13, 14]);
    }
}

#[tokio::test]
async fn one_that_dies_when_its_start_is_stored_begins_there() {
    for trouble in [Trouble::KillBefore, Trouble::KillAfter] {
        let folder = tempfile::tempdir().unwrap();
        let options = annals_store_log::Options::with_segment_bytes(64 << 10);
        let log = LogStore::open(folder.path(), options).await.unwrap();
        let store: Arc<dyn EventStore> = Arc::new(log);
        let old = place(&store, 10..12).await;
        // Calls: mark, append.
        let troubled = Troubled::at(store.clone(), 1, trouble);
        let (handle, _stop, task) = start(beginning(&troubled.store(), Start::Now));
        troubled.hit().await;
        task.abort();
        let _ = task.await;
        assert_eq!((troubled.calls()[1], handle.position()), (Call::Append, Sequence::ZERO), "{trouble:?}");
        let stored = trouble == Trouble::KillAfter;
        assert_eq!(store.mark(&mark()).await.unwrap(), stored.then_some(old), "{trouble:?}");

        let through = place(&store, 12..13).await;
        run_until(beginning(&store, Start::Now), through).await;
        assert_eq!(charged(&store).await, if stored { vec![12] } else { vec![] }, "{trouble:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_while_it_begins_is_asked_for_again() {
    for trouble in [Trouble::Fail, Trouble::LoseAnswer] {
        let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
        let old = place(&store, 10..12).await;
        let troubled = Troubled::at(store.clone(), 1, trouble);
        run_until(beginning(&troubled.store(), Start::Now), old).await;
        assert_eq!(store.mark(&mark()).await.unwrap(), Some(old), "{trouble:?}");
        assert_eq!(charged(&store).await, Vec::<u64>::new());
    }
}
