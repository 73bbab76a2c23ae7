//! How fast candidates are folded, to tell how long the next one takes.
//!
//! What always holds: only a long fold counts, and the last one alone; nothing is told before there was one.

use annals_event::Sequence;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A fold of fewer sequence numbers says nothing about how fast a longer one is.
const RATED_MIN: u64 = 1_000;

/// How fast the last long fold of a candidate was. Cloning it gives another handle to the same one.
#[derive(Clone, Default)]
pub(super) struct Rate {
    /// Sequence numbers in a second; 0: there was no long fold yet.
    per_second: Arc<AtomicU64>,
}

impl Rate {
    /// Notes a fold from one checkpoint to another.
    pub(super) fn note(&self, from: Sequence, to: Sequence, elapsed: Duration) {
        let done = to.get().saturating_sub(from.get());
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
        if done >= RATED_MIN {
            self.per_second.store(done.saturating_mul(1_000_000) / elapsed_us, Ordering::Relaxed);
        }
    }

    /// How long a fold of so many sequence numbers takes; `None`: there was no long fold yet.
    pub(super) fn estimated_ms(&self, sequence_numbers: u64) -> Option<u64> {
        sequence_numbers.saturating_mul(1_000).checked_div(self.per_second.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_fold_says_how_long_the_next_one_takes() {
        let (rate, from) = (Rate::default(), Sequence::new(50));
        rate.note(from, from.plus(RATED_MIN - 1), Duration::from_secs(1));
        assert_eq!(rate.estimated_ms(1_000), None);
        rate.note(from, from.plus(2_000), Duration::from_secs(1));
        assert_eq!(rate.estimated_ms(1_000), Some(500));
        rate.note(from, from.plus(1), Duration::from_secs(9));
        assert_eq!(rate.estimated_ms(1_000), Some(500));
    }
}
