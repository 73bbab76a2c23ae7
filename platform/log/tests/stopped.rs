//! A log that stops writing: whichever operation of the disk fails, whoever waits is told, and why.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_log::sim::{Fault, FaultKind, IoKind, Lasts, SimClock, SimDisk, SimEntropy};
use annals_log::{AppendError, Environment, Log, Options};
use std::sync::{Arc, mpsc};

/// More operations than the life below takes, so that each fails once.
const OPERATIONS: u64 = 200;
/// Enough appends for several new segments.
const APPENDS: usize = 40;

fn one() -> Append {
    let event = NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 300]);
    Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event])
}

fn open(disk: &SimDisk) -> Log {
    let (clock, entropy) = (Arc::new(SimClock::new(1)), Arc::new(SimEntropy::new(1)));
    let mut options = Options::with_segment_bytes(4 << 10);
    options.reserve_bytes = 0;
    Log::open_on(Environment { disk: Arc::new(disk.clone()), clock, entropy }, options).unwrap()
}

/// Appends until the log stops; gives why it did.
fn append_until_stopped(log: &Log) -> Option<String> {
    (0..APPENDS).find_map(|_| match log.append(one()) {
        Err(AppendError::Poisoned { reason }) => Some(reason.to_string()),
        _ => None,
    })
}

#[test]
fn whichever_write_or_sync_fails_waiters_are_told_before_the_append() {
    let mut stopped_by = Vec::new();
    for at in 1..OPERATIONS {
        let disk = SimDisk::new();
        let log = open(&disk);
        disk.plan(Some(Fault { at: disk.ios() + at, lasts: Lasts::Once, kind: FaultKind::Medium }));
        let (wake, woken) = mpsc::channel::<Sequence>();
        let never = Sequence::new(1_000);
        let wait = log.on_head(never, Box::new(move |head| wake.send(head).unwrap()));
        let Some(reason) = append_until_stopped(&log) else { continue };
        let io = disk.last_io().unwrap();
        assert_eq!(woken.try_recv(), Err(mpsc::TryRecvError::Disconnected), "after {io:?} failed");
        drop(wait);
        assert_eq!(log.stopped().as_deref(), Some(reason.as_str()), "after {io:?} failed");
        // Who comes later does not wait at all.
        let (wake, woken) = mpsc::channel::<Sequence>();
        let late = log.on_head(never, Box::new(move |head| wake.send(head).unwrap()));
        assert_eq!(woken.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        drop(late);
        stopped_by.push(io.kind);
    }
    for kind in [IoKind::Write, IoKind::Sync, IoKind::SyncDirectory] {
        assert!(stopped_by.contains(&kind), "no failed {kind:?} stopped the log");
    }
}
