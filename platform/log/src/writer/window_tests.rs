//! Appends whose request ids are not in the window: what is new is made, what nothing protects is refused by name, and
//! nothing is made twice.

use super::*;
use crate::{AppendError, Clock, Retention};
use annals_event::{
    Append, EventId, EventType, ExpectedVersion, MarkName, NewEvent, Receipt, RequestId, Sequence,
    StreamName, Timestamp, Version,
};
use std::{
    path::Path,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_800_000_000 * SECOND;

/// A clock that stands where it is set. As much time passes as it is set ahead.
struct SetClock {
    now: AtomicI64,
    elapsed: AtomicU64,
}

impl Clock for SetClock {
    fn now_micros(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }
    fn elapsed_micros(&self) -> u64 {
        self.elapsed.load(Ordering::Relaxed)
    }
}

struct Subject {
    folder: tempfile::TempDir,
    clock: Arc<SetClock>,
    writer: Option<Writer>,
}

impl Subject {
    fn new() -> Self {
        let (folder, clock) = (
            tempfile::tempdir().unwrap(),
            Arc::new(SetClock { now: AtomicI64::new(START), elapsed: AtomicU64::new(0) }),
        );
        let writer = Some(open(folder.path(), clock.clone()));
        Self { folder, clock, writer }
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        self.writer = None;
        self.writer = Some(open(self.folder.path(), self.clock.clone()));
    }

    fn one(&mut self, append: &Append) -> Result<Receipt, AppendError> {
        self.writer().commit(vec![append.clone()]).pop().unwrap()
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    fn set_clock(&self, micros: i64) {
        let before = self.clock.now.swap(micros, Ordering::Relaxed);
        let passed = u64::try_from(micros - before).unwrap_or(0);
        self.clock.elapsed.fetch_add(passed, Ordering::Relaxed);
    }

    /// Appends so much that the window drops all that was there before.
    fn overflow(&mut self) {
        let filler =
            |_| expecting(&EventId::generate().to_string(), ExpectedVersion::NoStream, made_at(START));
        let results = self.writer().commit((0..3_000).map(filler).collect());
        results.into_iter().for_each(|result| drop(result.unwrap()));
    }

    #[track_caller]
    fn is_unjudged(&mut self, append: &Append) -> Timestamp {
        let head = self.writer().reader().head();
        let error = self.one(append).unwrap_err();
        assert_eq!(self.writer().reader().head(), head, "nothing is written");
        let AppendError::RequestUnjudged { request_id, judged_after } = error else { panic!("{error}") };
        assert_eq!(request_id, append.request_id);
        judged_after
    }
}

fn open(folder: &Path, clock: Arc<SetClock>) -> Writer {
    let environment = Environment { clock, ..Environment::real(folder).unwrap() };
    let options = Options { requests: 1, ..Options::with_segment_bytes(256 << 10) };
    Writer::open(environment, options).unwrap()
}

/// A UUID v7 made at this time; no two are equal.
fn made_at(micros: i64) -> RequestId {
    let millis = u128::try_from(micros / 1_000).unwrap();
    let rest = uuid::Uuid::new_v4().as_u128() & ((1 << 62) - 1);
    RequestId::from_bytes((millis << 80 | 7 << 76 | 2 << 62 | rest).to_be_bytes())
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}
fn mark() -> MarkName {
    MarkName::new("m").unwrap()
}
fn event() -> NewEvent {
    NewEvent::json(EventType::new("t").unwrap(), "{}")
}
fn expecting(name: &str, expected: ExpectedVersion, request_id: RequestId) -> Append {
    Append::with_request_id(request_id).write(stream(name), expected, vec![event()])
}
fn any(name: &str, request_id: RequestId) -> Append {
    expecting(name, ExpectedVersion::Any, request_id)
}
fn exactly(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

#[test]
fn a_retry_after_the_window_is_refused_by_name_and_never_written_twice() {
    let mut log = Subject::new();
    let timed = any("a", made_at(log.now()));
    let named = any("a", RequestId::from_name("payments/1"));
    let existing = expecting("a", ExpectedVersion::Exists, made_at(log.now()));
    for append in [&timed, &named, &existing] {
        log.one(append).unwrap();
        assert!(log.one(append).unwrap().repeated, "found in the window");
    }
    log.overflow();
    for round in 0..4 {
        for append in [&timed, &named, &existing] {
            assert_eq!(log.is_unjudged(append).as_micros(), START + 5 * SECOND);
        }
        // From the segments, from a checkpoint, and from a base.
        match round {
            0 => {}
            1 => log.writer.take().unwrap().close().unwrap(),
            _ => {
                let nothing = Retention { age_max: None, bytes_max: Some(0) };
                assert!(log.writer().retain(nothing).unwrap().segments > 0 || round == 3);
                let _ = std::fs::remove_file(log.folder.path().join("checkpoint"));
            }
        }
        log.reopen();
    }
    assert_eq!(log.writer().reader().stream_version(&stream("a")), Version::new(3));
}

#[test]
fn an_id_that_was_made_after_what_the_window_dropped_is_new() {
    let mut log = Subject::new();
    let (old, slow) = (any("a", made_at(log.now())), made_at(log.now() + 4 * SECOND));
    log.one(&old).unwrap();
    log.overflow();
    log.set_clock(START + 60 * SECOND);
    assert!(!log.one(&any("a", made_at(log.now()))).unwrap().repeated);
    assert!(!log.one(&any("a", made_at(START + 6 * SECOND))).unwrap().repeated, "whose clock is 54 s behind");
    log.is_unjudged(&any("a", slow));
    log.is_unjudged(&old);
    log.is_unjudged(&any("a", RequestId::from_name("new, but that cannot be known")));
    assert_eq!(log.writer().reader().stream_version(&stream("a")), Version::new(3));
}

#[test]
fn an_append_that_a_version_or_a_mark_protects_is_made_whatever_its_id() {
    let mut log = Subject::new();
    log.overflow();
    let named = |n: u64| RequestId::from_name(&format!("reactor/{n}"));
    let at = |n| Some(Sequence::new(n));
    let new = expecting("a", ExpectedVersion::NoStream, named(1));
    let grown = expecting("a", exactly(1), named(2)).write(stream("b"), ExpectedVersion::Any, vec![event()]);
    let marked = any("b", named(3)).set_mark(mark(), None, Sequence::ZERO);
    let moved = any("b", named(4)).set_mark(mark(), at(0), Sequence::new(9));
    for append in [&new, &grown, &marked, &moved] {
        assert!(!log.one(append).unwrap().repeated);
    }
    // Set back or left where it is, a mark may be there again; a version that is only required was not moved.
    for unprotected in [
        any("b", named(5)).set_mark(mark(), at(9), Sequence::new(9)),
        any("b", named(6)).set_mark(mark(), at(9), Sequence::new(3)),
        any("b", named(7)).require(stream("a"), exactly(2)),
        expecting("b", ExpectedVersion::Exists, named(8)),
    ] {
        log.is_unjudged(&unprotected);
    }

    log.overflow();
    let head = log.writer().reader().head();
    for append in [&new, &grown] {
        assert!(log.one(append).unwrap().repeated, "found by its events");
    }
    for append in [&marked, &moved] {
        assert!(matches!(log.one(append), Err(AppendError::Conflict(annals_event::Conflict::Mark { .. }))));
    }
    let mut other = new.clone();
    other.writes[0].events[0].payload = r#"{"other":1}"#.into();
    let event_id = other.writes[0].events[0].id;
    let error = log.one(&other).unwrap_err();
    assert!(matches!(error, AppendError::EventIdReused { event_id: id } if id == event_id), "{error}");
    assert_eq!(log.writer().reader().head(), head);
}

#[test]
fn an_id_from_the_future_is_refused_unless_a_version_protects_the_append() {
    let mut log = Subject::new();
    log.one(&any("a", made_at(log.now() + 5 * SECOND))).unwrap();
    let early = any("a", made_at(log.now() + 65 * SECOND));
    let error = log.one(&early).unwrap_err();
    assert!(
        matches!(error, AppendError::RequestAhead { ahead, .. } if ahead == Duration::from_secs(65)),
        "{error}"
    );
    log.one(&expecting("b", ExpectedVersion::NoStream, early.request_id)).unwrap();
    log.set_clock(START + 60 * SECOND);
    let other = any("a", made_at(START + 65 * SECOND));
    log.one(&other).unwrap();
    // Set back, the clock does not set the log's time back, and it is the log's time that counts.
    log.set_clock(START);
    log.one(&any("a", made_at(START + 65 * SECOND))).unwrap();
    assert!(matches!(
        log.one(&any("a", made_at(START + 66 * SECOND))),
        Err(AppendError::RequestAhead { .. })
    ));
    assert_eq!(log.writer().reader().stream_version(&stream("a")), Version::new(3));
}

#[test]
fn one_group_decides_from_memory_and_takes_one_sync_whatever_is_in_it() {
    let mut log = Subject::new();
    let now = log.now();
    let fresh = |append: &Append| Append { request_id: made_at(now), ..append.clone() };
    let new: Vec<Append> =
        (0..300).map(|n| expecting(&format!("s-{n}"), ExpectedVersion::NoStream, made_at(now))).collect();
    let refused = (0..300).map(|n| expecting(&format!("s-{n}"), ExpectedVersion::NoStream, made_at(now)));
    let mut reused = fresh(&new[0]);
    reused.request_id = new[1].request_id;
    let mut other = fresh(&new[2]);
    other.writes[0].events[0].payload = "[]".into();
    let mut group = new.clone();
    group.extend(refused);
    group.extend(new.iter().cloned());
    group.extend(new.iter().map(fresh));
    group.extend([reused, other]);
    let results = log.writer().commit(group);
    let stats = log.writer().stats();
    assert_eq!((stats.groups, stats.syncs), (1, 1));
    assert_eq!((stats.appends, stats.conflicts, stats.repeats), (300, 300, 600));
    let receipts: Vec<&Receipt> = results[..300].iter().map(|result| result.as_ref().unwrap()).collect();
    assert!(results[300..600].iter().all(|result| matches!(result, Err(AppendError::Conflict(_)))));
    for (at, repeat) in results[600..1_200].iter().enumerate() {
        assert_eq!(*repeat.as_ref().unwrap(), Receipt { repeated: true, ..receipts[at % 300].clone() });
    }
    assert!(matches!(results[1_200], Err(AppendError::RequestIdReused { .. })));
    assert!(matches!(results[1_201], Err(AppendError::EventIdReused { .. })));
    assert_eq!(log.writer().reader().head(), Sequence::new(300));
}

/// Appends without events share a sequence number, also over the end of a segment.
#[test]
fn every_append_is_found_again_by_its_id_and_sequence_number() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let environment = Environment::real(folder.path()).unwrap();
        Writer::open(environment, Options::with_segment_bytes(4 << 10)).unwrap()
    };
    let append = |n: u64| {
        let append = Append::with_request_id(RequestId::from_name(&n.to_string()));
        match n % 50 {
            0 => {
                let event = NewEvent::json(EventType::new("t").unwrap(), "{}");
                let event = NewEvent { id: EventId::from_bytes(u128::from(n).to_be_bytes()), ..event };
                append.write(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event])
            }
            _ => append.set_mark(MarkName::new(format!("m-{n}")).unwrap(), None, Sequence::new(n)),
        }
    };
    let mut writer = open();
    let receipts: Vec<Receipt> =
        (0..400).map(|n| writer.commit(vec![append(n)]).pop().unwrap().unwrap()).collect();
    assert!(writer.stats().segments > 10);
    for _ in 0..2 {
        for (n, receipt) in (0..).zip(&receipts) {
            let repeated = writer.commit(vec![append(n)]).pop().unwrap().unwrap();
            assert_eq!(repeated, Receipt { repeated: true, ..receipt.clone() }, "{n}");
        }
        drop(writer);
        writer = open();
    }
}
