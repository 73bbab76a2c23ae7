//! A clock that jumps: which appends are refused meanwhile, and who says so.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_log::{Clock, Environment, Log, Options};
use annals_store::{AppendError, EventStore};
use annals_store_log::LogStore;
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

const HOUR: i64 = 60 * 60 * 1_000_000;

/// The machine's clock, less what it lags behind.
#[derive(Default)]
struct Lagging {
    by: AtomicI64,
    passed: AtomicU64,
}

impl Clock for Lagging {
    fn now_micros(&self) -> i64 {
        annals_log::SystemClock.now_micros() - self.by.load(Relaxed)
    }
    fn elapsed_micros(&self) -> u64 {
        annals_log::SystemClock.elapsed_micros() + self.passed.load(Relaxed)
    }
}

fn append(expected: ExpectedVersion) -> Append {
    let event = NewEvent::json(EventType::new("t").unwrap(), "{}");
    let stream = format!("a-{}", annals_event::EventId::generate());
    Append::to(StreamName::new(stream).unwrap(), expected, vec![event])
}

#[tokio::test]
async fn while_the_logs_time_catches_up_it_is_said_which_appends_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Lagging::default());
    clock.by.store(HOUR, Relaxed);
    let environment = Environment { clock: clock.clone(), ..Environment::real(folder.path()).unwrap() };
    let options = Options::default();
    let store = LogStore::from_log(Log::open_on(environment, options.clone()).unwrap(), &options);
    store.append(append(ExpectedVersion::NoStream)).await.unwrap();
    assert_eq!(store.warnings(), [""; 0]);

    // The clock is set right, without that time having passed.
    clock.by.store(0, Relaxed);
    let refused = store.append(append(ExpectedVersion::Any)).await.unwrap_err();
    assert!(matches!(refused, AppendError::RequestAhead { .. }), "{refused}");
    assert!(refused.to_string().contains("wait until its log has caught up"), "{refused}");
    store.append(append(ExpectedVersion::NoStream)).await.unwrap();
    store.ready().await.unwrap();
    let warnings = store.warnings();
    assert!(warnings[0].contains("(Any, Exists) are refused until then"), "{warnings:?}");

    // An hour later they agree.
    clock.by.store(-HOUR, Relaxed);
    clock.passed.store(u64::try_from(HOUR).unwrap(), Relaxed);
    drop(store.warnings());
    assert_eq!(store.warnings(), [""; 0]);
}
