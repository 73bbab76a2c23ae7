use crate::care::verify::verify;
use crate::disk::{Disk, DiskFile, DiskLock, FileId};
use crate::files::LOCK;
use crate::sim::SimDisk;
use crate::{Backup, BackupError, Log, Options, ReadBudget, RealDisk, Retention};
use annals_event::{
    Append, EventBatch, EventId, EventType, ExpectedVersion, MarkName, NewEvent, Receipt, RequestId,
    Sequence, StreamName,
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

pub(super) fn small() -> Options {
    Options { checkpoint_segments: 2, ..Options::with_segment_bytes(16 << 10) }
}

/// The same for the same number, so that an append of it can be repeated.
fn event(number: u64, index: u64) -> NewEvent {
    let id = EventId::from_bytes((u128::from(number) << 64 | u128::from(index)).to_be_bytes());
    NewEvent { id, ..NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 100]) }
}

pub(super) fn append(log: &Log, number: u64) -> Receipt {
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
fn a_backup_never_replaces_anything() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    append(&log, 1);
    let (folder, partial) = (backups.path().join("one"), backups.path().join("one.partial"));
    log.backup(&folder).unwrap();
    let again = log.backup(&folder);
    assert!(matches!(again, Err(BackupError::Exists { .. })), "{again:?}");
    std::fs::remove_dir_all(&folder).unwrap();
    // What somebody put where the draft is to be; one of them looks like a log, one like a draft.
    for names in [&["thesis.odt"][..], &["0000000001.segment"], &["unfinished", "thesis.odt"]] {
        std::fs::create_dir(&partial).unwrap();
        names.iter().for_each(|name| std::fs::write(partial.join(name), "precious").unwrap());
        for target in [&folder, &backups.path().join("two")] {
            let _ = log.backup(target);
            assert!(names.iter().all(|name| partial.join(name).exists()), "{names:?}");
        }
        assert!(!folder.exists());
        std::fs::remove_dir_all(&partial).unwrap();
        std::fs::remove_dir_all(backups.path().join("two")).unwrap();
    }
}

#[test]
fn a_backup_removes_drafts_of_dead_makers_and_leaves_one_being_written() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    append(&log, 1);
    let left = |name: &str| {
        let left = backups.path().join(name);
        std::fs::create_dir(&left).unwrap();
        for name in ["LOCK", "unfinished", "0000000001.segment"] {
            std::fs::write(left.join(name), "half").unwrap();
        }
        left
    };
    let (own, beside, made) = (left("one.partial"), left("two.partial"), left("three.partial"));
    let maker = RealDisk::open(&made).unwrap().lock(LOCK).unwrap();
    let backup = log.backup(&backups.path().join("one")).unwrap();
    assert!(!own.exists() && !beside.exists());
    assert!(made.join("0000000001.segment").exists());
    let under_way = log.backup(&backups.path().join("three"));
    assert!(matches!(under_way, Err(BackupError::UnderWay { .. })), "{under_way:?}");
    drop(maker);
    log.backup(&backups.path().join("three")).unwrap();
    assert!(!made.exists());
    must_be_prefix(&log, &backups.path().join("one"), &backup);
}

#[test]
fn of_backups_at_once_one_is_made_and_the_others_are_told_so() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    (1..=100).for_each(|number| drop(append(&log, number)));
    let under_way = {
        let reader = log.reader();
        let _alone = reader.shared.backing_up.try_lock().unwrap();
        log.backup(&backups.path().join("other")).unwrap_err()
    };
    assert!(under_way.to_string().contains("ask again when it is done"), "{under_way}");
    assert!(!backups.path().join("other.partial").exists());
    for round in 0..20 {
        let folder = backups.path().join(format!("round-{round}"));
        let answers: Vec<_> = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..4).map(|_| scope.spawn(|| log.backup(&folder))).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        let (made, told): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1, "{told:?}");
        for refusal in told {
            let refusal = refusal.unwrap_err();
            assert!(
                matches!(refusal, BackupError::UnderWay { .. } | BackupError::Exists { .. }),
                "{refusal}"
            );
        }
        let report = verify(&folder, |_| {}).unwrap();
        assert_eq!((report.findings, report.events), (vec![], 200));
    }
    assert_eq!(std::fs::read_dir(backups.path()).unwrap().count(), 20, "no draft is left");
}

/// A backup of a log with several segments that dropped its first ones, and the names of its files.
#[test]
fn a_backup_that_has_no_room_says_so_before_it_writes_anything() {
    let data = tempfile::tempdir().unwrap();
    let options = Options { reserve_bytes: 1 << 20, ..small() };
    let log = Log::open(data.path(), options).unwrap();
    (1..=300).for_each(|number| drop(append(&log, number)));
    // From here on nothing is written beside the backup, so it needs the same twice.
    log.close().unwrap();
    let disk = SimDisk::new();
    disk.limit_capacity(Some(1 << 20));
    match super::copy(&log.reader(), &disk) {
        Err(BackupError::NoRoom { needed_bytes, free_bytes, kept_bytes, .. }) => {
            assert_eq!(free_bytes, 1 << 20);
            assert!(kept_bytes >= 1 << 20, "{kept_bytes}");
            assert!(needed_bytes > 100 << 10, "{needed_bytes}");
            assert_eq!((disk.files(), disk.ios()), (vec![], 0));
            // Whole sectors.
            disk.limit_capacity(Some(needed_bytes + kept_bytes + 511));
        }
        other => panic!("{other:?}"),
    }
    super::copy(&log.reader(), &disk).unwrap();
}

#[test]
fn a_copy_that_reads_back_otherwise_is_not_taken_for_a_damaged_log() {
    let data = tempfile::tempdir().unwrap();
    let log = Log::open(data.path(), small()).unwrap();
    (1..=20).for_each(|number| drop(append(&log, number)));
    let disk = RottenDisk(SimDisk::new());
    match super::copy(&log.reader(), &disk) {
        Err(BackupError::Copied { file, .. }) => assert!(file.ends_with("checkpoint"), "{}", file.display()),
        other => panic!("{other:?}"),
    }
}

/// A disk that changes a byte of the checkpoint once it is written.
struct RottenDisk(SimDisk);

impl Disk for RottenDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.0.open(name)
    }
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.0.create_new(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        let mut bytes = self.0.content("checkpoint").unwrap();
        bytes[70] ^= 1;
        self.0.replace("checkpoint", bytes);
        self.0.sync_dir()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        self.0.lock(name)
    }
    fn id_of(&self, name: &str) -> io::Result<FileId> {
        self.0.id_of(name)
    }
    fn display(&self, name: &str) -> PathBuf {
        self.0.display(name)
    }
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
    match refused {
        Err(BackupError::Damaged(damage)) => assert_eq!(damage.file, data.path().join("0000000001.segment")),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read_dir(backups.path()).unwrap().count(), 0, "neither a backup nor a draft");
}

#[test]
fn a_backup_into_the_folder_of_the_log_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("log");
    let log = Log::open(&folder, small()).unwrap();
    append(&log, 1);
    let names = || RealDisk::open(&folder).unwrap().list().unwrap().len();
    let before = names();
    std::os::unix::fs::symlink(&folder, parent.path().join("link")).unwrap();
    for inside in
        [folder.clone(), folder.join("backup"), folder.join("a/b"), parent.path().join("link/backup")]
    {
        let refused = log.backup(&inside).unwrap_err();
        assert!(matches!(&refused, BackupError::Inside { folder } if *folder == inside), "{refused}");
    }
    assert_eq!(names(), before);
    log.backup(&parent.path().join("log-backup")).unwrap();
}
