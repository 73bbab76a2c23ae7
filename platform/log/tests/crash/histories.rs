//! Files of another history of the same log, such as a backup that somebody wrote on leaves: same id, same places, all
//! checksums right. Only the chain tells.

use crate::damage::{Finding, Left, Sound};
use crate::judge::{Verdict, must};
use crate::layout::{frames_at, segments, take_derived_files};
use crate::session::Setup;
use annals_log::sim::SimDisk;
use annals_log::verify_on;

/// Two histories of one log that differ in nothing but when their events were recorded.
fn histories(setup: Setup, left: Left) -> [Sound; 2] {
    let with_clock = |readings_per_micro| Setup { readings_per_micro, ..setup.clone() };
    [1, 3].map(|readings| Sound::new(with_clock(readings), left))
}

fn other(other: &Sound, name: &str) -> Vec<u8> {
    other.disk().content(name).unwrap()
}

/// Puts each frame of another history in the place of its like, one at a time: whoever goes over the log names it, or
/// the next one, which does not follow it.
pub fn frames_of_another_history(setup: Setup) -> Verdict<u64> {
    let [sound, foreign] = histories(setup, Left::Closed);
    // With a checkpoint nobody goes over sealed segments when the log is opened.
    take_derived_files(sound.disk());
    let mut frames = 0;
    for name in segments(sound.disk()) {
        let bytes = other(&foreign, &name);
        let starts = frames_at(&bytes);
        must!(
            starts == frames_at(&other(&sound, &name)),
            "the histories of {name} differ in more than times"
        );
        for pair in starts.windows(2) {
            let frame = pair[0]..pair[1];
            let damage = |own: &mut Vec<u8>| own[frame.clone()].copy_from_slice(&bytes[frame.clone()]);
            sound.must_be_named(&name, frame.end, damage)?;
            let found = verify_on(&sound.damaged(&name, damage), |_| {}).unwrap().findings;
            let named = found.iter().any(|finding| finding.damage.file.to_str() == Some(&name));
            must!(named, "a frame of another history at {} of {name}: verified as {found:?}", frame.start);
            frames += 1;
        }
    }
    Ok(frames)
}

/// Puts the indexes of another history in the place of their likes: nobody is to believe them.
pub fn indexes_of_another_history(setup: Setup) -> Verdict<u64> {
    let [sound, foreign] = histories(setup, Left::Closed);
    let mut indexes = 0;
    for name in sound.disk().files().iter().filter(|name| name.ends_with(".index")) {
        let finding = sound.judge(&sound.damaged(name, |own| *own = other(&foreign, name)))?;
        must!(finding == Finding::Harmless, "{name} of another history is taken for {finding:?}");
        indexes += 1;
    }
    Ok(indexes)
}

#[test]
fn a_frame_of_another_history_is_named() {
    println!(
        "{} frames of another history, all named",
        frames_of_another_history(Setup::seeded(45)).unwrap()
    );
}

#[test]
fn an_index_of_another_history_changes_nothing() {
    assert!(indexes_of_another_history(Setup::seeded(45)).unwrap() >= 3);
}

#[test]
fn a_segment_of_another_history_is_named() {
    for left in [Left::Closed, Left::Killed] {
        let [sound, foreign] = histories(Setup::seeded(45), left);
        for name in segments(sound.disk()) {
            let named = |what: &str, disk: &SimDisk| {
                let finding = sound.judge(disk).unwrap();
                assert!(matches!(finding, Finding::Named(_)), "{left:?}, {name} {what}: nobody noticed");
            };
            let disk = sound.damaged(&name, |own| *own = other(&foreign, &name));
            named("with a checkpoint", &disk);
            take_derived_files(&disk);
            named("without a checkpoint", &disk);
        }
    }
}
