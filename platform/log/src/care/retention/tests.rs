use super::*;
use crate::disk::{Clock, SystemEntropy};
use crate::read::{EARLIEST_MICROS, Hold};
use crate::{AppendError, Direction, Disk, Environment, Options, ReadBudget, RealDisk, StreamRead, Writer};
use annals_event::MarkName;
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Receipt, RequestId, StreamName, Timestamp};
use std::{
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
};

const NOTHING: Retention = Retention { age_max: None, bytes_max: Some(0) };
const ONE: ReadBudget = ReadBudget { bytes_max: 1, events_max: 1 };

/// A clock that moves by a second at every reading.
struct Seconds(AtomicI64);

impl Clock for Seconds {
    fn now_micros(&self) -> i64 {
        self.0.fetch_add(1_000_000, Ordering::Relaxed)
    }
    fn elapsed_micros(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

fn open(folder: &Path) -> Writer {
    let environment = Environment {
        disk: Arc::new(RealDisk::open(folder).unwrap()),
        clock: Arc::new(Seconds(AtomicI64::new(1_000_000_000_000))),
        entropy: Arc::new(SystemEntropy),
    };
    Writer::open(environment, Options::with_segment_bytes(4 << 10)).unwrap()
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}
fn event() -> NewEvent {
    NewEvent::json(EventType::new("t").unwrap(), r#"{"a":1}"#)
}
fn append(name: &str, expected: ExpectedVersion) -> Append {
    // The ids carry no time: clocks here say whatever they like.
    let request_id = RequestId::from_name(&annals_event::EventId::generate().to_string());
    Append::with_request_id(request_id).write(stream(name), expected, vec![event()])
}
fn commit(writer: &mut Writer, append: Append) -> Result<Receipt, AppendError> {
    writer.commit(vec![append]).pop().unwrap()
}
fn exactly(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

/// Three events of stream `old`, then many of stream `new`, over many segments.
fn fill(writer: &mut Writer) -> Vec<Append> {
    let old: Vec<Append> = (0..3).map(|version| append("old", exactly(version))).collect();
    let mark = MarkName::new("m").unwrap();
    for append in &old {
        commit(writer, append.clone()).unwrap();
    }
    commit(writer, Append::new().set_mark(mark, None, Sequence::new(2))).unwrap();
    for _ in 0..100 {
        commit(writer, append("new", ExpectedVersion::Any)).unwrap();
    }
    old
}

fn versions(reader: &Reader, name: &str, from: u64, direction: Direction) -> Result<Vec<u64>, ReadError> {
    let read = StreamRead { from: Version::new(from), direction, events_max: 1_000 };
    let events = reader.read_stream(&stream(name), read)?;
    Ok(events.iter().map(|event| event.version().get()).collect())
}

/// What must hold of a log whose stream `old` was dropped, as a whole.
fn check_dropped(writer: &mut Writer, old: &[Append], first: Sequence) {
    let reader = writer.reader();
    assert_eq!(reader.first(), first);
    assert_eq!(reader.read(first, ONE).unwrap().events.len(), 1);
    for below in [Sequence::FIRST, first.previous()] {
        let error = reader.read(below, ONE).unwrap_err();
        assert!(matches!(error, ReadError::BelowStart { first: start } if start == first), "{error}");
    }
    assert_eq!(reader.stream_version(&stream("old")), Version::new(3));
    assert!(matches!(versions(&reader, "old", 1, Direction::Forward), Err(ReadError::BelowStart { .. })));
    assert!(versions(&reader, "old", 4, Direction::Forward).unwrap().is_empty());
    assert!(versions(&reader, "old", 9, Direction::Backward).unwrap().is_empty());
    // Three events of `old` stand before those of `new`.
    let oldest = first.get() - 3;
    assert!(matches!(versions(&reader, "new", 1, Direction::Forward), Err(ReadError::BelowStart { .. })));
    let kept: Vec<u64> = (oldest..=100).collect();
    assert_eq!(versions(&reader, "new", oldest, Direction::Forward).unwrap(), kept);
    let backward = versions(&reader, "new", 1_000, Direction::Backward).unwrap();
    assert!(backward.iter().rev().eq(kept.iter()));
    assert_eq!(reader.mark(&MarkName::new("m").unwrap()), Some(Sequence::new(2)));
    assert_eq!(reader.sequence_at(Timestamp::from_micros(0)).unwrap(), first);
    let error = commit(writer, old[0].clone()).unwrap_err();
    assert!(matches!(error, AppendError::OriginalDropped { .. }), "{error}");
    let again = Append { request_id: RequestId::generate(), ..old[2].clone() };
    assert!(matches!(commit(writer, again), Err(AppendError::Conflict(_))));
    assert!(matches!(
        commit(writer, append("old", ExpectedVersion::NoStream)),
        Err(AppendError::Conflict(_))
    ));
}

#[test]
fn what_was_dropped_is_gone_and_what_is_known_of_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    let old = fill(&mut writer);
    let before = writer.stats().segments;
    let retained = writer.retain(NOTHING).unwrap();
    assert_eq!(u64::from(retained.segments), before - 1, "all but the active one");
    assert_eq!(writer.stats().segments, 1);
    check_dropped(&mut writer, &old, retained.first);
    assert_eq!(writer.retain(NOTHING).unwrap().segments, 0);
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.filter(|name| name.to_string_lossy().ends_with(".segment")).count(), 1);

    // From the base, from a checkpoint, and from the base again.
    for round in 0..3 {
        drop(writer);
        writer = open(folder.path());
        assert_eq!(writer.corruption(), None);
        check_dropped(&mut writer, &old, retained.first);
        match round {
            0 => writer.checkpoint().unwrap(),
            1 => std::fs::remove_file(folder.path().join("checkpoint")).unwrap(),
            _ => {}
        }
    }
    commit(&mut writer, append("old", exactly(3))).unwrap();
    assert_eq!(versions(&writer.reader(), "old", 4, Direction::Forward).unwrap(), [4]);
    assert_eq!(versions(&writer.reader(), "old", 9, Direction::Backward).unwrap(), [4]);
}

#[test]
fn a_base_made_in_steps_is_the_base_made_at_once() {
    let base_after = |steps: &[u64]| {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path());
        let ids = |n: u8| RequestId::from_bytes([n; 16]);
        for n in 0..90 {
            let expected = ExpectedVersion::Any;
            let id = annals_event::EventId::from_bytes([n; 16]);
            let append =
                Append::to(stream(&format!("s-{}", n % 7)), expected, vec![NewEvent { id, ..event() }]);
            commit(&mut writer, Append { request_id: ids(n), ..append }).unwrap();
        }
        for bytes_max in steps {
            writer.retain(Retention { bytes_max: Some(*bytes_max), ..NOTHING }).unwrap();
        }
        let disk = RealDisk::open(folder.path()).unwrap();
        let FoundBase::Whole(base) = FoundBase::in_folder(&disk).unwrap() else { panic!("there is no base") };
        let BaseContents { marks, requests, heads, .. } = base.contents().unwrap();
        // Streams are hashed with the log's own key.
        let mut versions: Vec<Version> = heads.into_iter().map(|(_, version)| version).collect();
        versions.sort_unstable();
        (marks, requests, versions)
    };
    let at_once = base_after(&[0]);
    assert!(at_once.1.len() > 50 && at_once.2.len() == 7, "{} requests", at_once.1.len());
    assert_eq!(base_after(&[20 << 10, 12 << 10, 8 << 10, 0]), at_once);
}

#[test]
fn segments_go_by_age_and_by_size_and_never_past_a_hold() {
    let folder = tempfile::tempdir().unwrap();
    let log = crate::Log::open_on(
        Environment {
            disk: Arc::new(RealDisk::open(folder.path()).unwrap()),
            clock: Arc::new(Seconds(AtomicI64::new(EARLIEST_MICROS))),
            entropy: Arc::new(SystemEntropy),
        },
        Options::with_segment_bytes(4 << 10),
    )
    .unwrap();
    let receipts: Vec<Receipt> =
        (0..200).map(|_| log.append(append("a", ExpectedVersion::Any)).unwrap()).collect();
    assert_eq!(log.retain(Retention::default()).unwrap().segments, 0, "no limit, nothing goes");

    let held = log.hold(Sequence::new(20)).unwrap();
    assert!(log.retain(NOTHING).unwrap().first <= Sequence::new(20));
    drop(held);

    let hold = MarkName::new(format!("{}audit", Hold::MARK_PREFIX)).unwrap();
    log.append(Append::new().set_mark(hold.clone(), None, Sequence::new(50))).unwrap();
    let first = log.retain(NOTHING).unwrap().first;
    assert!(first <= Sequence::new(50) && first > Sequence::new(20), "{first}");
    let error = log.hold(first.previous()).err().unwrap();
    assert!(matches!(error, ReadError::BelowStart { first: start } if start == first), "{error}");
    log.append(Append::new().set_mark(hold, Some(Sequence::new(50)), Sequence::MAX)).unwrap();

    let age_max = Some(Duration::from_secs(100));
    let first = log.retain(Retention { age_max, bytes_max: None }).unwrap().first;
    let recorded_at = |sequence: Sequence| receipts[crate::num::to_usize(sequence.get()) - 1].recorded_at;
    let newest = receipts.last().unwrap().recorded_at.as_micros();
    assert!(first > Sequence::new(50));
    assert!(recorded_at(first.previous()).as_micros() < newest - 90_000_000, "{first}");

    let bytes_max = Some(12 << 10);
    log.retain(Retention { age_max: None, bytes_max }).unwrap();
    assert_eq!(log.stats().segments, 3);
}

#[test]
fn damage_in_what_is_to_go_is_named_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    fill(&mut writer);
    let segment = folder.path().join("0000000002.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[900] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let segments = writer.stats().segments;
    let error = writer.retain(NOTHING).unwrap_err();
    assert!(matches!(&error, RetainError::Corrupted(corruption) if corruption.file == segment), "{error}");
    assert_eq!(writer.stats().segments, segments);
    assert!(!folder.path().join("base").exists());
}

#[test]
fn a_damaged_missing_or_foreign_base_is_named_and_what_is_there_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    let old = fill(&mut writer);
    let first = writer.retain(Retention { bytes_max: Some(12 << 10), ..NOTHING }).unwrap().first;
    drop(writer);
    let path = folder.path().join("base");
    let whole = std::fs::read(&path).unwrap();
    for at in [0, 20, 50, 111, 112, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(&path, &bytes).unwrap();
        let mut writer = open(folder.path());
        assert_eq!(writer.corruption().unwrap().file, path, "byte {at}");
        assert_eq!(writer.reader().read(first, ONE).unwrap().events.len(), 1);
        assert!(matches!(commit(&mut writer, old[0].clone()), Err(AppendError::ReadOnly { .. })));
        assert!(matches!(writer.retain(NOTHING), Err(RetainError::Corrupted(_))));
        drop(writer);
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing is changed");
    }
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    let environment = |disk: Arc<RealDisk>| Environment { disk, ..Environment::real(folder.path()).unwrap() };
    let reopen = || Writer::open(environment(disk.clone()), Options::default()).map(drop);
    disk.remove("base").unwrap();
    let error = reopen().unwrap_err();
    assert!(matches!(error, OpenError::Corrupted(_)), "{error}");
    let other = tempfile::tempdir().unwrap();
    let mut foreign = open(other.path());
    fill(&mut foreign);
    foreign.retain(Retention { bytes_max: Some(12 << 10), ..NOTHING }).unwrap();
    std::fs::copy(other.path().join("base"), &path).unwrap();
    assert_eq!(open(folder.path()).corruption().unwrap().what, Base::NOT_THIS_LOGS);
    std::fs::write(&path, &whole).unwrap();
    reopen().unwrap();
}

fn simulated(folder: &Path, clock: &Arc<crate::sim::SimClock>) -> Writer {
    let environment = Environment { clock: clock.clone(), ..Environment::real(folder).unwrap() };
    Writer::open(environment, Options::with_segment_bytes(4 << 10)).unwrap()
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TWENTY_YEARS_MICROS: i64 = 20 * 366 * 24 * 60 * 60 * 1_000_000;

/// Appends until two segments are sealed; the stamps.
fn seal_two(writer: &mut Writer) -> Vec<Timestamp> {
    let before = writer.stats().segments;
    let mut stamps = Vec::new();
    while writer.stats().segments < before + 2 {
        stamps.push(commit(writer, append("a", ExpectedVersion::Any)).unwrap().recorded_at);
    }
    stamps
}

#[test]
fn a_clock_that_jumps_20_years_ahead_drops_nothing_and_stamps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(crate::sim::SimClock::new(1));
    let month = Retention { age_max: Some(30 * A_DAY), bytes_max: None };
    let mut writer = simulated(folder.path(), &clock);
    let right = seal_two(&mut writer).pop().unwrap();
    clock.set_ahead_by(TWENTY_YEARS_MICROS);
    let wrong = seal_two(&mut writer);
    assert_eq!(writer.retain(month).unwrap().segments, 0, "dropped on the word of a clock that jumped");
    assert!(wrong.iter().all(|stamp| stamp.as_micros() - right.as_micros() < 60_000_000), "{wrong:?}");
    drop(writer);

    // Nor is it believed by the next process, at the open.
    let mut writer = simulated(folder.path(), &clock);
    let wrong = seal_two(&mut writer);
    assert_eq!(writer.retain(month).unwrap().segments, 0);
    assert!(wrong.iter().all(|stamp| stamp.as_micros() - right.as_micros() < 60_000_000), "{wrong:?}");
    drop(writer);

    // The clock is mended: time goes on at once, and what is old goes when it is old.
    clock.set_ahead_by(0);
    let mut writer = simulated(folder.path(), &clock);
    clock.pass(29 * A_DAY);
    let stamps = seal_two(&mut writer);
    assert_eq!(stamps.last().unwrap().as_micros() / 1_000_000_000, clock.now_micros() / 1_000_000_000);
    assert_eq!(writer.retain(month).unwrap().segments, 0);
    clock.pass(2 * A_DAY);
    assert!(writer.retain(month).unwrap().segments >= 5);
    assert_eq!(writer.stats().segments, 3, "the last two that were sealed, and the active one");
}

#[test]
fn what_was_recorded_in_the_future_goes_by_age_once_it_is_twice_as_old() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(crate::sim::SimClock::new(1));
    let month = Retention { age_max: Some(30 * A_DAY), bytes_max: None };
    clock.set_ahead_by(TWENTY_YEARS_MICROS);
    let mut writer = simulated(folder.path(), &clock);
    let future = seal_two(&mut writer).pop().unwrap();
    clock.set_ahead_by(0);
    clock.pass(30 * A_DAY);
    let later = seal_two(&mut writer);
    assert!(later.iter().all(|stamp| *stamp > future), "time never goes back");
    assert_eq!(writer.retain(month).unwrap().segments, 0);
    clock.pass(31 * A_DAY);
    assert_eq!(writer.retain(month).unwrap().segments, 2);
}

#[test]
fn events_recorded_before_the_clock_was_set_are_as_old_as_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(crate::sim::SimClock::new(1));
    let month = Retention { age_max: Some(30 * A_DAY), bytes_max: None };
    clock.set_ahead_by(-clock.now_micros());
    let mut writer = simulated(folder.path(), &clock);
    let stamps = seal_two(&mut writer);
    assert!(stamps.iter().all(|stamp| stamp.as_micros() < EARLIEST_MICROS), "1970");
    clock.set_ahead_by(0);
    seal_two(&mut writer);
    assert_eq!(writer.retain(month).unwrap().segments, 0);
    clock.pass(31 * A_DAY);
    assert!(writer.retain(month).unwrap().segments >= 2);
}

/// Appends one event to each of so many new streams.
fn new_streams(writer: &mut Writer, name: &str, count: usize) {
    for n in 0..count {
        commit(writer, append(&format!("{name}-{n}"), ExpectedVersion::NoStream)).unwrap();
    }
}

#[test]
fn no_base_is_written_for_less_than_its_own_size_unless_somebody_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    new_streams(&mut writer, "s", 600);
    let base_bytes = writer.reader().shared.base_bytes();
    assert!(base_bytes > 6 * (4 << 10), "{base_bytes} bytes, more than several segments");
    writer.retain(NOTHING).unwrap();
    let (mut dropped, mut written, mut runs) = (0, 0, 0);
    for n in 0..60 {
        new_streams(&mut writer, &format!("t-{n}"), 10);
        let retained = writer.retain_when_due(NOTHING).unwrap();
        if retained.segments > 0 {
            (dropped, runs) = (dropped + retained.bytes, runs + 1);
            written += std::fs::metadata(folder.path().join("base")).unwrap().len();
        }
    }
    assert!(runs >= 2 && written <= dropped, "{written} bytes of {runs} bases for {dropped} bytes dropped");
    writer.retain(NOTHING).unwrap();
    new_streams(&mut writer, "u", 40);
    assert_eq!(writer.retain_when_due(NOTHING).unwrap().segments, 0);
    assert!(writer.retain(NOTHING).unwrap().segments >= 2, "asked for: at once");
}

#[test]
fn what_is_overdue_goes_although_it_is_little() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(crate::sim::SimClock::new(1));
    let month = Retention { age_max: Some(30 * A_DAY), bytes_max: None };
    let mut writer = simulated(folder.path(), &clock);
    new_streams(&mut writer, "s", 600);
    writer.retain(NOTHING).unwrap();
    seal_two(&mut writer);
    clock.pass(31 * A_DAY);
    assert_eq!(writer.retain_when_due(month).unwrap().segments, 0, "expired, and not worth a base");
    clock.pass(3 * A_DAY);
    assert!(writer.retain_when_due(month).unwrap().segments >= 2, "an eighth of the limit later");
}
