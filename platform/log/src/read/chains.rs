//! The chain values after the newest appends, in memory: a consumer at the head keeps one with each of its checkpoints, and
//! would otherwise read the disk for it.
//!
//! What always holds: the appends are consecutive, and the last one ends at the head.

use crate::state::Chain;
use annals_event::Sequence;
use std::collections::VecDeque;

/// How many appends are remembered; 32 bytes each.
const APPENDS_MAX: usize = 4096;

/// The end of an append.
struct End {
    /// The sequence number after its last event.
    next: Sequence,
    chain: Chain,
}

#[derive(Default)]
pub(crate) struct Chains(VecDeque<End>);

impl Chains {
    /// Adds the next append: `next` is the sequence number after its last event.
    pub(crate) fn push(&mut self, next: Sequence, chain: Chain) {
        if self.0.len() >= APPENDS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(End { next, chain });
    }

    /// The chain after the append with the event at `at`, if that is remembered.
    pub(crate) fn at(&self, at: Sequence) -> Option<Chain> {
        let index = self.0.partition_point(|end| end.next <= at);
        // Where the oldest append begins is not known, so the one before must be there.
        index.checked_sub(1)?;
        self.0.get(index).map(|end| end.chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::to_u64;

    #[test]
    fn the_newest_appends_are_remembered_and_the_oldest_is_not() {
        let mut chains = Chains::default();
        assert_eq!(chains.at(Sequence::FIRST), None);
        let appends = to_u64(APPENDS_MAX) + 10;
        // Two events each: the first append has 1 and 2.
        for append in 1..=appends {
            chains.push(Sequence::new(append * 2 + 1), Chain(append.into()));
        }
        assert_eq!(chains.0.len(), APPENDS_MAX);
        let known = |append: u64| chains.at(Sequence::new(append * 2));
        assert_eq!(known(appends), Some(Chain(appends.into())));
        assert_eq!(
            chains.at(Sequence::new(appends * 2 - 1)),
            known(appends),
            "events of one append share it"
        );
        assert_eq!(chains.at(Sequence::new(appends * 2 + 1)), None, "beyond the head");
        assert_eq!(known(12), Some(Chain(12)));
        assert_eq!((known(11), known(10)), (None, None));
    }
}
