//! A backup that is opened as a log.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, MarkName, NewEvent, Sequence, StreamName};
use annals_log::{Backup, Log, Options};
use std::{fs, os::unix::fs::MetadataExt, path::Path};

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
