use super::LOOK_APART_MICROS;
use crate::sim::{SimClock, SimDisk, SimEntropy};
use crate::{AppendError, Environment, FolderLost, Log, Options, ReadBudget, Writer};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Receipt, Sequence, StreamName};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};

/// So long a test waits for what must come before it fails.
const HANGING: Duration = Duration::from_secs(60);

/// After so long the writer looks again before it answers.
const LOOK_APART: Duration = Duration::from_micros(LOOK_APART_MICROS);

fn one() -> Append {
    let event = NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 100]);
    Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event])
}

fn refusal(answer: Result<Receipt, AppendError>) -> String {
    match answer {
        Err(AppendError::Poisoned { reason }) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A log in a folder of its own, with one event.
struct Held {
    parent: tempfile::TempDir,
    log: Log,
}

impl Held {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let log = Log::open(&parent.path().join("log"), Options::with_segment_bytes(64 << 10)).unwrap();
        log.append(one()).unwrap();
        Self { parent, log }
    }

    fn folder(&self) -> PathBuf {
        self.parent.path().join("log")
    }

    fn elsewhere(&self) -> PathBuf {
        self.parent.path().join("elsewhere")
    }

    /// Waits until the log lets its waiters go, without an append; gives why.
    fn noticed(&self) -> String {
        let (wake, woken) = mpsc::channel::<Sequence>();
        let wait = self.log.on_head(self.log.head(), Box::new(move |head| wake.send(head).unwrap()));
        assert_eq!(woken.recv_timeout(HANGING), Err(mpsc::RecvTimeoutError::Disconnected));
        drop(wait);
        self.log.stopped().unwrap().to_string()
    }

    fn must_still_read(&self) {
        let block = self.log.read(Sequence::FIRST, ReadBudget { bytes_max: 1 << 20, events_max: 9 }).unwrap();
        assert_eq!(block.events.len(), 1);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Makes something of the folder.
type Lose = fn(&Held);

/// What becomes of the folder, and what is then said.
const LOSSES: [(Lose, &str); 6] = [
    (|held| std::fs::remove_dir_all(held.folder()).unwrap(), "was deleted or moved away"),
    (|held| std::fs::rename(held.folder(), held.elsewhere()).unwrap(), "was deleted or moved away"),
    (
        |held| {
            std::fs::rename(held.folder(), held.elsewhere()).unwrap();
            std::fs::create_dir(held.folder()).unwrap();
        },
        "was replaced by another folder",
    ),
    (|held| std::fs::remove_file(held.folder().join("LOCK")).unwrap(), "lost its file LOCK"),
    (
        |held| {
            std::fs::rename(held.folder().join("LOCK"), held.folder().join("LOCK.tmp")).unwrap();
            std::fs::write(held.folder().join("LOCK"), "").unwrap();
        },
        "lost its file LOCK",
    ),
    (
        |held| std::fs::remove_file(held.folder().join("0000000001.segment")).unwrap(),
        "was deleted or replaced",
    ),
];

#[test]
fn an_append_soon_after_the_folder_is_lost_is_not_answered_as_written() {
    for (lose, due) in LOSSES {
        let held = Held::new();
        lose(&held);
        std::thread::sleep(LOOK_APART);
        let reason = refusal(held.log.append(one()));
        assert!(reason.contains(due) && reason.contains(held.folder().to_str().unwrap()), "{reason}");
        assert_eq!(held.log.head(), Sequence::FIRST, "what is not where it should be is not visible");
        assert_eq!(refusal(held.log.append(one())), reason, "and so it stays");
        held.must_still_read();
        held.log.close().unwrap();
    }
}

#[test]
fn an_idle_log_notices_a_lost_folder_and_tells_whoever_waits() {
    for (lose, due) in LOSSES {
        let held = Held::new();
        lose(&held);
        let reason = held.noticed();
        assert!(reason.contains(due), "{reason}");
        held.must_still_read();
    }
}

#[test]
fn a_log_never_touches_the_log_that_took_its_place() {
    let held = Held::new();
    let mut reference = Vec::new();
    std::fs::remove_dir_all(held.folder()).unwrap();
    let second = Log::open(&held.folder(), Options::with_segment_bytes(64 << 10)).unwrap();
    assert_ne!(second.id(), held.log.id());
    second.append(one()).unwrap();
    for name in names(&held.folder()) {
        reference.push((name.clone(), std::fs::read(held.folder().join(name)).unwrap()));
    }
    std::thread::sleep(LOOK_APART);
    refusal(held.log.append(one()));
    held.log.close().unwrap();
    drop(held.log);
    for (name, bytes) in reference {
        assert_eq!(std::fs::read(held.parent.path().join("log").join(&name)).unwrap(), bytes, "{name}");
    }
    second.append(one()).unwrap();
}

#[test]
fn a_restored_backup_in_the_place_of_the_log_is_served_by_the_next_start() {
    let held = Held::new();
    let (backup, id) = (held.parent.path().join("backup"), held.log.id());
    held.log.backup(&backup).unwrap();
    held.log.append(one()).unwrap();
    std::fs::rename(held.folder(), held.elsewhere()).unwrap();
    std::fs::rename(&backup, held.folder()).unwrap();
    std::thread::sleep(LOOK_APART);
    let reason = refusal(held.log.append(one()));
    assert!(reason.contains("was replaced by another folder"), "{reason}");
    drop(held.log);
    let restored = Log::open(&held.parent.path().join("log"), Options::default()).unwrap();
    assert_eq!((restored.id(), restored.head(), restored.corruption()), (id, Sequence::FIRST, None));
    restored.append(one()).unwrap();
}

/// Copies the files of `folder` over those of the open log, which must notice.
fn copied_over(held: &Held, folder: &Path) {
    for name in names(folder) {
        std::fs::copy(folder.join(&name), held.folder().join(&name)).unwrap();
    }
    let reason = held.noticed();
    assert!(reason.contains("were overwritten while the log was open"), "{reason}");
}

#[test]
fn a_backup_that_is_copied_over_an_open_log_is_noticed() {
    let held = Held::new();
    let backup = held.parent.path().join("backup");
    held.log.backup(&backup).unwrap();
    copied_over(&held, &backup);
}

/// Both were opened once.
#[test]
fn another_log_that_is_copied_over_an_open_log_is_noticed() {
    let (held, other) = (Held::new(), Held::new());
    let folder = other.folder();
    other.log.close().unwrap();
    drop(other.log);
    copied_over(&held, &folder);
}

/// The same on a simulated disk, where every kind of loss can be had.
#[test]
fn whatever_becomes_of_the_folder_the_writer_says_it_before_it_answers() {
    for lost in [FolderLost::Deleted, FolderLost::Replaced, FolderLost::Unlocked] {
        let (disk, clock) = (SimDisk::new(), Arc::new(SimClock::new(1)));
        let environment = Environment { clock: clock.clone(), ..environment(&disk) };
        let mut writer = Writer::open(environment, Options::default()).unwrap();
        writer.commit(vec![one()]).pop().unwrap().unwrap();
        disk.lose_folder(Some(lost));
        clock.pass(LOOK_APART);
        let reason = refusal(writer.commit(vec![one()]).pop().unwrap());
        assert!(reason.contains(&lost.to_string()), "{reason}");
        assert_eq!(writer.reader().head(), Sequence::FIRST);
        writer.close().unwrap();
    }
}

#[test]
fn an_unwritable_folder_stops_the_log_before_it_needs_a_new_file() {
    let disk = SimDisk::new();
    let log = Log::open_on(environment(&disk), Options::default()).unwrap();
    log.append(one()).unwrap();
    let (wake, woken) = mpsc::channel::<Sequence>();
    let wait = log.on_head(log.head(), Box::new(move |head| wake.send(head).unwrap()));
    disk.lose_folder(Some(FolderLost::Unwritable));
    assert_eq!(woken.recv_timeout(HANGING), Err(mpsc::RecvTimeoutError::Disconnected));
    drop(wait);
    let reason = refusal(log.append(one()));
    assert!(reason.contains("give this process the right to write to it"), "{reason}");
    log.close().unwrap();
    drop(log);
    let log = Log::open_on(environment(&disk.restarted()), Options::default()).unwrap();
    assert_eq!(log.head(), Sequence::FIRST, "nothing that was answered is lost");
    log.append(one()).unwrap();
}

fn environment(disk: &SimDisk) -> Environment {
    let (clock, entropy) = (Arc::new(SimClock::new(1)), Arc::new(SimEntropy::new(7)));
    Environment { disk: Arc::new(disk.clone()), clock, entropy }
}
