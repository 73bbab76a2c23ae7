//! Files that are longer than what was ever written into them cost no memory, whatever their length says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName, Version};
use annals_log::{
    Backup, Direction, Environment, Harm, OpenError, Options, Retention, StreamRead, Writer, verify,
};
use std::{fs::File, path::Path};

/// More than the machine has, in files that take no room on the disk.
const LENGTH: u64 = 8 << 40;

fn open(folder: &Path) -> Result<Writer, OpenError> {
    Writer::open(Environment::real(folder).unwrap(), Options::with_segment_bytes(4 << 10))
}

fn append(writer: &mut Writer) {
    let event = NewEvent::json(EventType::new("t").unwrap(), "{}");
    let append = Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event]);
    writer.commit(vec![append]).pop().unwrap().unwrap();
}

/// A closed log of several segments.
fn closed(folder: &Path) {
    let mut writer = open(folder).unwrap();
    (0..60).for_each(|_| append(&mut writer));
    assert!(writer.stats().segments >= 4);
    writer.close().unwrap();
}

fn overgrow(folder: &Path, name: &str) {
    let file = File::options().write(true).open(folder.join(name)).unwrap();
    file.set_len(LENGTH).unwrap();
}

/// Replaces the file by one of zeros.
fn empty_out(folder: &Path, name: &str) {
    File::create(folder.join(name)).unwrap();
    overgrow(folder, name);
}

fn versions(writer: &Writer) -> usize {
    let read = StreamRead { from: Version::FIRST, direction: Direction::Forward, events_max: 100 };
    writer.reader().read_stream(&StreamName::new("a").unwrap(), read).unwrap().len()
}

#[test]
fn overgrown_files_that_can_be_made_again_are_made_again() {
    for spoil in [overgrow, empty_out] {
        let folder = tempfile::tempdir().unwrap();
        closed(folder.path());
        let names = ["checkpoint", "0000000001.index", "0000000002.index"];
        names.iter().for_each(|name| spoil(folder.path(), name));
        let findings = verify(folder.path(), |_| {}).unwrap().findings;
        assert_eq!(findings.len(), names.len(), "{findings:?}");
        assert!(findings.iter().all(|finding| finding.harm == Harm::Derived));
        let writer = open(folder.path()).unwrap();
        assert_eq!((writer.corruption(), versions(&writer)), (None, 60));
        writer.checkpoint().unwrap();
        for name in names {
            assert!(std::fs::metadata(folder.path().join(name)).unwrap().len() < 64 << 10, "{name}");
        }
    }
}

#[test]
fn an_overgrown_base_is_damage_that_is_named() {
    for spoil in [overgrow, empty_out] {
        let folder = tempfile::tempdir().unwrap();
        closed(folder.path());
        let writer = open(folder.path()).unwrap();
        writer.retain(Retention { age_max: None, bytes_max: Some(8 << 10) }).unwrap();
        assert!(writer.reader().first() > Sequence::FIRST);
        drop(writer);
        spoil(folder.path(), "base");
        let damage = open(folder.path()).unwrap().corruption().unwrap();
        assert_eq!(damage.file, folder.path().join("base"));
    }
}

#[test]
fn an_overgrown_manifest_is_none() {
    for spoil in [overgrow, empty_out] {
        let folder = tempfile::tempdir().unwrap();
        closed(folder.path());
        std::fs::write(folder.path().join("manifest"), "annals backup, format 2\n").unwrap();
        spoil(folder.path(), "manifest");
        assert!(Backup::of(folder.path()).is_err());
        assert_eq!(versions(&open(folder.path()).unwrap()), 60, "the log is opened without it");
    }
}
