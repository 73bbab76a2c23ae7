//! A stored event that a consumer cannot handle is that consumer's problem with that event: no process ends, and
//! every other consumer goes on. Each consumer of the log meets each kind of such an event while all others run
//! beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests"
)]

mod consumers;
mod event;
mod old_log;

use annals_event::Sequence;
use annals_store::{EventStore, causes::CauseTree};
use annals_store_log::{LogStore, Options};
use consumers::{All, Outcome};
use event::{CANDIDATE, EVENTS, Kind, SLOTS, SNAPSHOT, append, poison};
use old_log::OldLog;
use std::{sync::Arc, time::Duration};

/// How long a test waits for what must come. Long enough for a busy machine; nothing is decided by it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What must come, otherwise the test fails.
async fn within<T>(what: impl std::fmt::Display, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.unwrap_or_else(|_| panic!("{what} in time"))
}

async fn log(folder: &tempfile::TempDir) -> Arc<dyn EventStore> {
    let log = LogStore::open(folder.path().join("log"), Options::default()).await.unwrap();
    Arc::new(OldLog(Arc::new(log)))
}

/// What the consumer of the slot must have done. Its error names the event.
fn assert_outcome(outcome: &Outcome, kind: Kind, slot: usize, poisoned: Sequence) {
    let what = format!("{kind:?} at {}: {outcome:?}", SLOTS[slot]);
    if kind.is_passed_over_by(slot) {
        assert_eq!((outcome.handled, &outcome.error), (2 * EVENTS, &None), "{what}");
        return;
    }
    let error = outcome.error.as_deref().unwrap_or_else(|| panic!("it went on: {what}"));
    // A candidate is discarded, so it need not have the events of the batch that cannot be applied.
    let is_candidate = [CANDIDATE, SNAPSHOT].contains(&slot);
    let whole = outcome.handled == EVENTS || (is_candidate && outcome.handled < EVENTS);
    assert!(whole, "everything before it is handled, and nothing after it: {what}");
    let version = format!("version {}", EVENTS + 1);
    assert!(error.contains(&poisoned.to_string()) || error.contains(&version), "{what}");
}

async fn meets(kind: Kind, slot: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = log(&folder).await;
    for other in 0..SLOTS.len() {
        append(&*store, other, EVENTS).await;
    }
    let all = All::start(&folder, &store).await;
    let poisoned = poison(&*store, kind, slot).await;
    for other in 0..SLOTS.len() {
        append(&*store, other, EVENTS).await;
    }
    let head = store.head().await.unwrap().last;
    for (other, name) in SLOTS.iter().enumerate() {
        let outcome = within(format!("{kind:?}, {name}"), all.outcome(other, head)).await;
        match other == slot {
            true => assert_outcome(&outcome, kind, slot, poisoned),
            false => {
                assert_eq!(
                    (outcome.handled, outcome.error),
                    (2 * EVENTS, None),
                    "{kind:?}: {}",
                    SLOTS[other]
                );
            }
        }
    }
    all.assert_the_rest_goes_on(&*store, head, poisoned).await;
    all.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_consumer_meets_every_kind_of_poison_and_the_others_go_on() {
    let (mut met, mut consumers) = (0, std::collections::BTreeSet::new());
    for kind in Kind::ALL {
        for slot in 0..SLOTS.len() {
            meets(kind, slot).await;
            met += 1;
            consumers.insert(slot);
        }
    }
    println!("{met} poison events of {} kinds at {} consumers judged", Kind::ALL.len(), consumers.len());
}

/// One of each kind on a stream of the platform's own: for the list of replays, their worker, and consumers of every
/// event.
#[tokio::test(flavor = "multi_thread")]
async fn poison_on_the_platforms_own_streams_is_passed_over_by_all() {
    let poisons = event::platform_poisons();
    let folder = tempfile::tempdir().unwrap();
    let store = log(&folder).await;
    for slot in 0..SLOTS.len() {
        append(&*store, slot, EVENTS).await;
    }
    let all = All::start(&folder, &store).await;
    let mut last = Sequence::ZERO;
    for poison in &poisons {
        last = store.append(poison.clone()).await.unwrap().head;
    }
    for slot in 0..SLOTS.len() {
        append(&*store, slot, EVENTS).await;
    }
    let head = store.head().await.unwrap().last;
    for (slot, name) in SLOTS.iter().enumerate() {
        let outcome = within(name, all.outcome(slot, head)).await;
        assert_eq!((outcome.handled, outcome.error), (2 * EVENTS, None), "{name}");
    }
    all.assert_the_rest_goes_on(&*store, head, last).await;
    assert_eq!(all.unreadable_replays(), poisons.len());
    all.stop().await;
    println!("{} poison events on the platform's own streams judged", poisons.len());
}

/// The tree of causes reads no payload.
async fn assert_causes(store: &dyn EventStore, at: Sequence) {
    let page = store.read_log(annals_store::ReadLog { events_max: 1, ..annals_store::ReadLog::from(at) });
    let id = page.await.unwrap().events.first().unwrap().id();
    assert_eq!(CauseTree::of_event(store, id).await.unwrap().events().len(), 1);
}
