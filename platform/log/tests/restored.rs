//! A backup that is opened as a log.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, MarkName, NewEvent, Sequence, StreamName};
use annals_log::sim::{SimClock, SimDisk, SimEntropy};
use annals_log::{Backup, Disk, Environment, Log, OpenError, Options, Writer};
use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc};

/// More than what every opening writes zeros over.
const SEGMENT_BYTES: u64 = 24 << 20;

fn open(folder: &Path) -> Log {
    Log::open(folder, Options::with_segment_bytes(SEGMENT_BYTES)).unwrap()
}

fn append(log: &Log) {
    let event = NewEvent::json(EventType::new("t").unwrap(), "{}");
    log.append(Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event])).unwrap();
}

/// How much of a segment is on the disk.
fn stored_bytes(folder: &Path) -> u64 {
    fs::metadata(folder.join("0000000001.segment")).unwrap().blocks() * 512
}

#[test]
fn what_is_free_in_a_restored_segment_is_on_the_disk_before_it_is_needed() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(data.path());
    append(&log);
    let folder = backups.path().join("one");
    log.backup(&folder).unwrap();
    assert!(stored_bytes(&folder) < SEGMENT_BYTES / 2, "a backup takes what was written");
    let restored = open(&folder);
    assert!(stored_bytes(&folder) >= SEGMENT_BYTES, "{} bytes", stored_bytes(&folder));
    append(&restored);
    restored.close().unwrap();
    drop(restored);
    assert_eq!(annals_log::verify(&folder, |_| {}).unwrap().findings, []);
}

#[test]
fn the_chain_of_a_backup_includes_its_last_append_even_one_without_events() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(data.path());
    append(&log);
    let of_the_event =
        || u128::from_le_bytes(log.reader().fingerprint(Sequence::FIRST).unwrap().unwrap().chain);
    let backup = log.backup(&backups.path().join("one")).unwrap();
    assert_eq!(backup.chain, of_the_event());
    log.append(Append::new().set_mark(MarkName::new("m").unwrap(), None, Sequence::FIRST)).unwrap();
    let folder = backups.path().join("two");
    let backup = log.backup(&folder).unwrap();
    assert_eq!(backup.head, Sequence::FIRST);
    assert_ne!(backup.chain, of_the_event(), "a mark was set after it");
    assert_eq!(Backup::of(&folder).unwrap(), backup);
}

/// A disk with the files of a folder, of which what is zero takes no room.
fn simulated(folder: &Path) -> SimDisk {
    let disk = SimDisk::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (name, bytes) = (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        let file = disk.create_new(&name).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        file.write_at(&bytes[..used], 0).unwrap();
        file.set_len(bytes.len().try_into().unwrap()).unwrap();
        file.sync_all().unwrap();
    }
    disk.sync_dir().unwrap();
    disk
}

fn open_simulated(disk: &SimDisk, segment_bytes: u64) -> Result<Writer, OpenError> {
    let (clock, entropy) = (Arc::new(SimClock::new(1)), Arc::new(SimEntropy::new(1)));
    let environment = Environment { disk: Arc::new(disk.clone()), clock, entropy };
    Writer::open(environment, Options::with_segment_bytes(segment_bytes))
}

#[test]
fn a_backup_without_room_to_become_a_log_says_how_much_it_needs_and_where() {
    // The second has room for what every opening writes zeros over.
    for (segment_bytes, room_bytes) in [(1 << 20, 256 << 10), (SEGMENT_BYTES, SEGMENT_BYTES / 2)] {
        let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = Log::open(data.path(), Options::with_segment_bytes(segment_bytes)).unwrap();
        append(&log);
        let folder = backups.path().join("one");
        let backup = log.backup(&folder).unwrap();
        let disk = simulated(&folder);
        disk.limit_capacity(Some(room_bytes));
        for _ in 0..2 {
            let refused = open_simulated(&disk, segment_bytes).err().unwrap();
            let OpenError::NoSpace { file, needed_bytes, .. } = &refused else { panic!("{refused}") };
            assert!(file.ends_with("0000000001.segment"), "{}", file.display());
            assert!((segment_bytes - 64_000..segment_bytes).contains(needed_bytes), "{needed_bytes} bytes");
            let needed = format!("0000000001.segment needs up to {needed_bytes} bytes more of its disk");
            assert!(refused.to_string().contains(&needed), "{refused}");
            assert!(disk.files().contains(&"manifest".to_owned()), "it is a backup as before");
        }
        disk.limit_capacity(Some(2 * segment_bytes));
        let opened = open_simulated(&disk, segment_bytes).unwrap();
        assert_eq!(opened.reader().head(), backup.head);
        assert!(!disk.files().contains(&"manifest".to_owned()), "it is a log");
    }
}
