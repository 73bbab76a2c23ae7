//! How far a candidate is, how fast its fold is, and how long it will still take.

use serde::Serialize;
use std::time::Instant;

/// A fold of fewer sequence numbers says nothing about how fast a longer one is.
const RATED_MIN: u64 = 1_000;

/// How far a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Sequence numbers done since the candidate was made, whether the read model wants their events or not.
    pub done: u64,
    /// Sequence numbers to be done in all. It grows with the log.
    pub total: u64,
    /// Sequence numbers done in a second by the last fold of many: of a dense log as many events.
    pub events_per_second: f64,
    /// How long it will still take at this rate, in milliseconds; `None`: there is no rate yet.
    pub remaining_ms: Option<u64>,
}

/// Turns checkpoints into [`Progress`].
#[derive(Debug)]
pub(crate) struct Meter {
    base: u64,
    target: u64,
    begun_at: Instant,
    begun_with: u64,
    /// The rate of the fold before.
    rate_before: Option<f64>,
}

impl Meter {
    /// The candidate's first place was `base`; it is at `checkpoint` now and has to get to `target`.
    pub(crate) fn new(base: u64, checkpoint: u64, target: u64) -> Self {
        Self { base, target, begun_at: Instant::now(), begun_with: checkpoint, rate_before: None }
    }

    /// After another fold of the same candidate.
    pub(crate) fn after(self, before: Option<Progress>) -> Self {
        let rate = before.map(|before| before.events_per_second).filter(|rate| *rate > 0.0);
        Self { rate_before: rate, ..self }
    }

    pub(crate) fn at(&self, checkpoint: u64) -> Progress {
        let total = self.target.max(checkpoint).saturating_sub(self.base);
        let done = checkpoint.saturating_sub(self.base);
        let seconds = self.begun_at.elapsed().as_secs_f64();
        let since = checkpoint.saturating_sub(self.begun_with);
        let rate = if seconds > 0.0 { lossy(since) / seconds } else { 0.0 };
        let events_per_second = self.rate_before.filter(|_| since < RATED_MIN).unwrap_or(rate);
        Progress {
            done,
            total,
            events_per_second,
            remaining_ms: remaining_ms(total - done, events_per_second),
        }
    }
}

fn remaining_ms(events: u64, events_per_second: f64) -> Option<u64> {
    if events == 0 {
        return Some(0);
    }
    let seconds = lossy(events) / events_per_second;
    std::time::Duration::try_from_secs_f64(seconds).ok().and_then(|time| u64::try_from(time.as_millis()).ok())
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people; 53 bits of it are plenty")]
fn lossy(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_from_the_candidates_base_and_never_beyond_its_total() {
        let meter = Meter::new(100, 150, 200);
        let at = meter.at(175);
        assert_eq!((at.done, at.total), (75, 100));
        let beyond = meter.at(260);
        assert_eq!((beyond.done, beyond.total, beyond.remaining_ms), (160, 160, Some(0)));
        assert_eq!(Meter::new(0, 0, 10).at(0).remaining_ms, None);
        assert_eq!(Meter::new(0, 10, 10).at(10).remaining_ms, Some(0), "nothing is left, whatever the rate");
    }

    #[test]
    fn a_short_fold_at_the_end_does_not_change_the_rate() {
        let folded =
            Progress { done: 48_000, total: 48_000, events_per_second: 500_000.0, remaining_ms: Some(0) };
        let caught_up = Meter::new(0, 48_000, 48_010).after(Some(folded)).at(48_010);
        assert_eq!((caught_up.done, caught_up.events_per_second), (48_010, 500_000.0));
    }
}
