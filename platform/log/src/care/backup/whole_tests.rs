//! What is a whole backup, and what becomes of one that is not.

use super::tests::{append, small};
use crate::care::verify::{Harm, verify};
use crate::{Backup, BackupError, Log, OpenError, Retention};
use std::path::Path;

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

fn whole(backups: &Path) -> (tempfile::TempDir, Backup, Vec<String>) {
    let data = tempfile::tempdir().unwrap();
    let log = Log::open(data.path(), small()).unwrap();
    (1..=300).for_each(|number| drop(append(&log, number)));
    log.retain(Retention { bytes_max: Some(60 << 10), ..Retention::default() }).unwrap();
    let backup = log.backup(&backups.join("whole")).unwrap();
    let entries = std::fs::read_dir(backups.join("whole")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    (data, backup, names)
}

fn copied(from: &Path, to: &Path, names: &[String]) {
    std::fs::create_dir(to).unwrap();
    for name in names {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[test]
fn a_backup_that_lacks_a_file_is_never_opened_and_the_file_is_named() {
    let backups = tempfile::tempdir().unwrap();
    let (_data, backup, names) = whole(backups.path());
    for (at, lacking) in names.iter().enumerate().filter(|(_, name)| *name != "manifest") {
        let folder = backups.path().join(format!("without-{at}"));
        let rest: Vec<_> = names.iter().filter(|name| *name != lacking).cloned().collect();
        copied(&backups.path().join("whole"), &folder, &rest);
        if lacking == "LOCK" {
            assert_eq!(verify(&folder, |_| {}).unwrap().findings, []);
            continue;
        }
        let findings = verify(&folder, |_| {}).unwrap().findings;
        assert!(findings.iter().any(|finding| finding.damage.file.ends_with(lacking)), "{findings:?}");
        match Log::open(&folder, small()) {
            Err(OpenError::NotWhole { file, .. }) => assert_eq!(file, folder.join(lacking)),
            Err(other) => panic!("{other}"),
            // What can be made again.
            Ok(log) => {
                assert!(lacking.ends_with(".index") || lacking == "checkpoint", "{lacking}");
                assert_eq!((log.id(), log.head(), log.corruption()), (backup.log_id, backup.head, None));
            }
        }
    }
    let (folder, last) = (backups.path().join("nothing"), ["LOCK".to_owned(), "manifest".to_owned()]);
    copied(&backups.path().join("whole"), &folder, &last);
    let findings = verify(&folder, |_| {}).unwrap().findings;
    assert!(findings.len() >= 2, "every file that lacks: {findings:?}");
    for _ in 0..2 {
        let refused = Log::open(&folder, small()).map(|log| log.id());
        assert!(matches!(refused, Err(OpenError::NotWhole { .. })), "{refused:?}");
    }
    let mut left: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["LOCK", "manifest"], "nothing was made");
}

#[test]
fn verify_finds_a_changed_or_surplus_file_in_a_backup() {
    let backups = tempfile::tempdir().unwrap();
    let (_data, _, names) = whole(backups.path());
    let segment = names.iter().filter(|name| name.ends_with(".segment")).min().unwrap();
    type Change = fn(&Path, &str);
    let changes: [(&str, Change); 3] = [
        ("size", |folder, segment| {
            let file = std::fs::OpenOptions::new().write(true).open(folder.join(segment)).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("bytes", |folder, segment| {
            let mut bytes = std::fs::read(folder.join(segment)).unwrap();
            // Behind the footer, where no checksum of the segment reaches.
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(folder.join(segment), bytes).unwrap();
        }),
        ("many", |folder, segment| {
            std::fs::copy(folder.join(segment), folder.join("0000009999.segment")).map(drop).unwrap();
        }),
    ];
    for (name, change) in changes {
        let folder = backups.path().join(name);
        copied(&backups.path().join("whole"), &folder, &names);
        assert_eq!(verify(&folder, |_| {}).unwrap().findings, []);
        change(&folder, segment);
        let findings = verify(&folder, |_| {}).unwrap().findings;
        assert!(findings.iter().any(|finding| finding.harm == Harm::Primary), "{name}: {findings:?}");
        let opened = Log::open(&folder, small()).map(|log| log.corruption());
        // Opening looks at names and sizes.
        assert_eq!(opened.is_err(), name != "bytes", "{name}: {opened:?}");
    }
}

#[test]
fn an_unfinished_backup_is_refused_by_name_whatever_it_is_called() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(data.path(), small()).unwrap();
    (1..=100).for_each(|number| drop(append(&log, number)));
    log.close().unwrap();
    let folder = backups.path().join("taken-for-whole");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("unfinished"), "").unwrap();
    for names in [&[][..], &["0000000001.segment"]] {
        for name in names {
            std::fs::copy(data.path().join(name), folder.join(name)).unwrap();
        }
        let refused = Log::open(&folder, small()).map(|log| log.id());
        assert!(matches!(refused, Err(OpenError::UnfinishedBackup { .. })), "{refused:?}");
        let findings = verify(&folder, |_| {}).unwrap().findings;
        assert!(findings.iter().any(|finding| finding.damage.what.contains("not finished")), "{findings:?}");
    }
}

#[test]
fn an_opened_backup_is_a_log_and_no_backup_any_more() {
    let backups = tempfile::tempdir().unwrap();
    let (_data, backup, _) = whole(backups.path());
    let folder = backups.path().join("whole");
    let log = Log::open(&folder, small()).unwrap();
    assert_eq!((log.id(), log.head()), (backup.log_id, backup.head));
    assert!(matches!(Backup::of(&folder), Err(BackupError::NoManifest { .. })));
    (301..=400).for_each(|number| drop(append(&log, number)));
    log.close().unwrap();
    drop(log);
    assert_eq!(verify(&folder, |_| {}).unwrap().findings, []);
    assert_eq!(Log::open(&folder, small()).unwrap().corruption(), None);
}
