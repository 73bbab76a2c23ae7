//! An open log finds damage in each of its sealed segments, also where nobody reads: when it is scrubbed, and when it is
//! verified.

use crate::damage::{Left, Sound};
use crate::judge::{Verdict, Violation, must};
use crate::layout::{frames_at, segments};
use crate::session::Setup;
use annals_log::{Harm, Log};

/// Damages frames in the middle of each sealed segment, and wants it found.
pub fn damage_in_each_sealed_segment(setup: &Setup) -> Verdict<u64> {
    let sound = Sound::new(setup.clone(), Left::Closed);
    let mut names = segments(sound.disk());
    names.pop();
    for name in &names {
        let frames = frames_at(&sound.disk().content(name).unwrap());
        // The last one is the footer, which every open looks at.
        let at = frames[(frames.len() - 1) / 2] + 200;
        let disk = sound.damaged(name, |bytes| bytes[at] ^= 1 << (at % 8));
        let log = Log::open_on(setup.environment(&disk), setup.options.clone())
            .map_err(|error| Violation(format!("{name} damaged at {at}: {error}")))?;
        let is_there = |file: &std::path::Path| file.to_str() == Some(name);
        let scrubbed = log.scrub().damages;
        must!(scrubbed.iter().any(|damage| is_there(&damage.file)), "{name}: scrubbing finds {scrubbed:?}");
        let verified = log.verify(|_| {}).map_err(|error| Violation(error.to_string()))?.findings;
        let found =
            verified.iter().any(|finding| is_there(&finding.damage.file) && finding.harm == Harm::Primary);
        must!(found, "{name}: verifying finds {verified:?}");
    }
    Ok(names.len() as u64)
}

#[test]
fn an_open_log_finds_damage_in_each_of_its_sealed_segments() {
    assert!(damage_in_each_sealed_segment(&Setup::seeded(47)).unwrap() >= 3);
}
