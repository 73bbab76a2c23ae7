//! Verification: it finds every damage in every file, and takes nothing for damage that a crash may leave.

use crate::crashes::verify_everywhere;
use crate::damage::{Left, Sound};
use crate::layout::{segments, used_bytes};
use crate::session::Setup;
use annals_log::sim::SimDisk;
use annals_log::{Finding, Harm, VerifyError, VerifyProgress, VerifyReport, verify_on};

fn sound(left: Left) -> Sound {
    Sound::new(Setup::seeded(43), left)
}

fn verified(disk: &SimDisk) -> VerifyReport {
    verify_on(disk, |_| {}).unwrap()
}

/// All files that hold data: segments, indexes, the checkpoint.
fn files(disk: &SimDisk) -> Vec<String> {
    disk.files().into_iter().filter(|name| name != "LOCK" && !name.ends_with(".tmp")).collect()
}

fn is_of(finding: &Finding, name: &str) -> bool {
    let harm = if name.ends_with(".segment") { Harm::Primary } else { Harm::Derived };
    finding.damage.file.to_str() == Some(name) && finding.harm == harm
}

/// Flips a bit and wants it found: in this file, at or before its place, and nothing in any other file.
fn must_find(sound: &Sound, name: &str, at: usize) {
    let report = verified(&sound.damaged(name, |bytes| bytes[at] ^= 1 << (at % 8)));
    assert!(!report.findings.is_empty(), "{name} damaged at {at}: not found");
    for finding in &report.findings {
        assert!(is_of(finding, name), "{name} damaged at {at}: found {finding}");
    }
    let first = report.findings[0].damage.offset as usize;
    assert!(first <= at, "{name} damaged at {at}: found at {first}");
}

#[test]
fn a_sound_log_is_verified_without_a_finding_and_without_a_change() {
    for left in [Left::Closed, Left::Killed] {
        let sound = sound(left);
        let disk = sound.disk().restarted();
        let mut told = Vec::new();
        let report = verify_on(&disk, |progress| told.push(progress)).unwrap();
        assert_eq!(report.findings, []);
        assert_eq!(report.events, sound.events());
        assert_eq!(report.segments, segments(&disk).len() as u64);
        let VerifyProgress { bytes_done, bytes_total } = *told.last().unwrap();
        let total: usize = files(&disk).iter().map(|name| disk.content(name).unwrap().len()).sum();
        assert_eq!((bytes_done, bytes_total), (total as u64, total as u64));
        for name in disk.files() {
            assert_eq!(disk.content(&name), sound.disk().content(&name), "{name}");
        }
    }
}

#[test]
fn a_flipped_bit_is_found_in_every_file() {
    let mut flips = 0;
    for left in [Left::Closed, Left::Killed] {
        let sound = sound(left);
        let last = segments(sound.disk()).pop().unwrap();
        let mut names = files(sound.disk());
        // The last group of a killed log cannot be told from a torn one.
        names.retain(|name| left == Left::Closed || *name != last);
        assert!(names.len() >= 7, "{names:?}");
        for name in &names {
            let length = if *name == last {
                used_bytes(sound.disk(), name)
            } else {
                sound.disk().content(name).unwrap().len()
            };
            for at in (0..length).step_by(11) {
                must_find(&sound, name, at);
                flips += 1;
            }
        }
    }
    println!("{flips} flipped bits, all found");
}

#[test]
fn every_damage_is_found_and_not_only_the_first() {
    let sound = sound(Left::Closed);
    let disk = sound.disk().restarted();
    let names = files(&disk);
    for name in &names {
        let mut bytes = disk.content(name).unwrap();
        // Something must be left to tell which log it is.
        let early = if *name == names[1] { 600 } else { 60 };
        let used = used_bytes(&disk, name);
        // In the footer; of the last segment, in the middle.
        let late = if Some(name) == segments(&disk).last() { used / 2 } else { used - 10 };
        for at in [early, late] {
            bytes[at] ^= 4;
        }
        disk.replace(name, bytes);
    }
    let report = verified(&disk);
    for name in &names {
        let found = report.findings.iter().filter(|finding| is_of(finding, name)).count();
        let due = if name.ends_with(".segment") { 2 } else { 1 };
        assert!(found >= due, "{name}: {found} found, {:?}", report.findings);
    }
}

#[test]
fn missing_swapped_foreign_and_cut_segments_are_found() {
    let (sound, foreign) = (sound(Left::Closed), Sound::new(Setup::seeded(77), Left::Closed));
    let names = segments(sound.disk());
    for (at, name) in names.iter().enumerate() {
        let found = |disk: &SimDisk| {
            let report = verified(disk);
            assert!(
                report.findings.iter().any(|finding| is_of(finding, name)),
                "{name}: {:?}",
                report.findings
            );
        };
        let missing = sound.disk().restarted();
        missing.take(name);
        found(&missing);
        if at > 0 {
            found(&sound.damaged(name, |bytes| *bytes = foreign.disk().content(name).unwrap()));
            found(&sound.damaged(name, |bytes| *bytes = sound.disk().content(&names[at - 1]).unwrap()));
        }
        for length in [0, 100, 513, used_bytes(sound.disk(), name) - 1] {
            found(&sound.damaged(name, |bytes| bytes.truncate(length)));
        }
    }
}

#[test]
fn missing_derived_files_are_no_damage() {
    let sound = sound(Left::Closed);
    for name in files(sound.disk()).iter().filter(|name| !name.ends_with(".segment")) {
        let disk = sound.disk().restarted();
        disk.take(name);
        assert_eq!(verified(&disk).findings, [], "{name}");
    }
}

#[test]
fn what_a_crash_leaves_is_no_damage() {
    let setups = (50..53).flat_map(|seed| [Setup::seeded(seed), Setup::seeded(seed).retaining()]);
    let images: u64 = setups.map(|setup| verify_everywhere(&setup, 3).unwrap()).sum();
    println!("{images} crash images verified");
}

#[test]
fn a_log_in_use_and_a_folder_without_a_log_are_not_verified() {
    let setup = Setup::seeded(44);
    let disk = SimDisk::new();
    assert!(matches!(verify_on(&disk, |_| {}), Err(VerifyError::NotALog { .. })));
    let writer = setup.open(&disk).unwrap();
    assert!(matches!(verify_on(&disk, |_| {}), Err(VerifyError::InUse { .. })));
    drop(writer);
    assert_eq!(verified(&disk).findings, []);
}
