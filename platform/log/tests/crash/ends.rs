//! Logs that lost their end: a segment from an older copy, a disk that took back what it had synced. No later frame tells
//! of the loss, but the checkpoint does.

use crate::damage::{Left, Sound};
use crate::judge::Verdict;
use crate::layout::{frames_at, segments, used_bytes};
use crate::session::Setup;

/// Takes away the last frames of a log, one more each time, as long as the checkpoint knows that they were durable.
pub fn lost_ends(setup: &Setup) -> Verdict<u64> {
    let mut ends = 0;
    for left in [Left::Closed, Left::Killed] {
        let sound = Sound::new(setup.clone(), left);
        let name = segments(sound.disk()).pop().unwrap();
        let bytes = sound.disk().content(&name).unwrap();
        let as_of = number_at(&sound.disk().content("checkpoint").unwrap(), 32);
        let known = as_of.saturating_sub(number_at(&bytes, 32));
        let end = used_bytes(sound.disk(), &name);
        for at in frames_at(&bytes).into_iter().filter(|at| *at < known) {
            sound.must_be_named(&name, at, |bytes| bytes[at..end].fill(0))?;
            ends += 1;
        }
    }
    Ok(ends)
}

/// A position in the checkpoint, or in a segment's header.
fn number_at(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

#[test]
fn a_lost_end_is_named_when_the_checkpoint_knows_that_it_was_durable() {
    let ends: u64 = (50..56).map(|seed| lost_ends(&Setup::seeded(seed)).unwrap()).sum();
    println!("{ends} lost ends, all named");
    assert!(ends > 20, "{ends}");
}
