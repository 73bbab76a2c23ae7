use crate::verify::{Harm, verify};
use crate::{Backup, BackupError, Log, Options, ReadBudget, Retention};
use annals_event::{
    Append, EventBatch, EventId, EventType, ExpectedVersion, MarkName, NewEvent, Receipt, RequestId,
    Sequence, StreamName,
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

fn small() -> Options {
    Options { checkpoint_segments: 2, ..Options::with_segment_bytes(16 << 10) }
}

/// The same for the same number, so that an append of it can be repeated.
fn event(number: u64, index: u64) -> NewEvent {
    let id = EventId::from_bytes((u128::from(number) << 64 | u128::from(index)).to_be_bytes());
    NewEvent { id, ..NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 100]) }
}

fn append(log: &Log, number: u64) -> Receipt {
    let stream = StreamName::new(format!("s-{}", number % 7)).unwrap();
    let request_id = RequestId::from_bytes(u128::from(number).to_be_bytes());
    let mark = MarkName::new("m").unwrap();
    let before = (number > 1).then(|| Sequence::new(number - 1));
    let append = Append::to(stream, ExpectedVersion::Any, vec![event(number, 0), event(number, 1)]);
    let append = append.set_mark(mark, before, Sequence::new(number));
    log.append(Append { request_id, ..append }).unwrap()
}

fn events(log: &Log, last: Sequence) -> Vec<EventBatch> {
    let (mut next, mut batches) = (log.first(), Vec::new());
    while next <= last {
        let count = usize::try_from(last.next().get() - next.get()).unwrap();
        let block = log.read(next, ReadBudget { bytes_max: 1 << 20, events_max: count }).unwrap();
        next = block.next;
        batches.push(block.events);
    }
    batches
}

/// The backup, opened, is exactly the log up to the backup's head.
fn must_be_prefix(log: &Log, folder: &Path, backup: &Backup) -> Log {
    assert_eq!(verify(folder, |_| {}).unwrap().findings, []);
    assert_eq!(&Backup::of(folder).unwrap(), backup);
    let restored = Log::open(folder, small()).unwrap();
    assert_eq!(restored.corruption(), None);
    assert_eq!((restored.id(), restored.first(), restored.head()), (log.id(), backup.first, backup.head));
    let records = |log: &Log| -> Vec<Vec<u8>> {
        let batches = events(log, backup.head);
        batches.iter().flat_map(EventBatch::iter).map(|event| event.as_bytes().to_vec()).collect()
    };
    assert_eq!(records(&restored), records(log));
    restored
}

#[test]
fn a_backup_that_is_taken_under_appends_is_exactly_a_prefix() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    (1..=100).for_each(|number| drop(append(&log, number)));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 101;
            while !done.load(Relaxed) {
                append(&log, number);
                number += 1;
            }
        });
        let _done = Done(&done);
        for round in 0..5 {
            let folder = backups.path().join(round.to_string());
            let head = log.head();
            let backup = log.backup(&folder).unwrap();
            assert!(backup.head >= head);
            let restored = must_be_prefix(&log, &folder, &backup);
            // Marks and repeats are those of the backup's moment, and the log goes on from there.
            let number = backup.head.get() / 2;
            assert_eq!(restored.mark(&MarkName::new("m").unwrap()), Some(Sequence::new(number)));
            assert!(append(&restored, number).repeated);
            assert_eq!(append(&restored, number + 1).head, backup.head.plus(2));
            restored.close().unwrap();
            assert_eq!(verify(&folder, |_| {}).unwrap().findings, []);
        }
    });
}

/// Also when the test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_backup_of_a_log_that_dropped_segments_begins_where_the_log_does() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    (1..=300).for_each(|number| drop(append(&log, number)));
    log.retain(Retention { bytes_max: Some(40 << 10), ..Retention::default() }).unwrap();
    assert!(log.first() > Sequence::FIRST);
    let folder = backups.path().join("one");
    let backup = log.backup(&folder).unwrap();
    must_be_prefix(&log, &folder, &backup);
}

#[test]
fn a_backup_that_lost_its_end_is_noticed() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    (1..=20).for_each(|number| drop(append(&log, number)));
    let folder = backups.path().join("one");
    log.backup(&folder).unwrap();
    let segment = folder.join("0000000001.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used - 200..].fill(0);
    std::fs::write(&segment, bytes).unwrap();
    let findings = verify(&folder, |_| {}).unwrap().findings;
    assert!(findings.iter().any(|finding| finding.harm == Harm::Primary), "{findings:?}");
    assert!(Log::open(&folder, small()).unwrap().corruption().is_some());
}

#[test]
fn a_backup_never_replaces_anything_and_clears_what_an_earlier_one_left() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    append(&log, 1);
    let folder = backups.path().join("one");
    let left = backups.path().join("one.partial");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("0000000001.segment"), "half").unwrap();
    log.backup(&folder).unwrap();
    assert!(!left.exists());
    let again = log.backup(&folder);
    assert!(matches!(again, Err(BackupError::Exists { .. })), "{again:?}");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("thesis.odt"), "precious").unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let again = log.backup(&folder);
    assert!(matches!(again, Err(BackupError::Exists { .. })), "{again:?}");
    assert!(left.join("thesis.odt").exists());
}

#[test]
fn a_damaged_log_is_not_backed_up() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    (1..=200).for_each(|number| drop(append(&log, number)));
    let segment = data.path().join("0000000001.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[3000] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let folder = backups.path().join("one");
    let refused = log.backup(&folder);
    assert!(matches!(refused, Err(BackupError::Damaged(_))), "{refused:?}");
    assert!(!folder.exists());
}
