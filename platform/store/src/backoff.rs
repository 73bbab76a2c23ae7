//! The one retry policy: how long to wait before a store or a database is tried again.
//!
//! Only these wait, and nothing between them:
//!
//! * An adapter repeats a call while it cannot reach its store, within the time that the call may take. After that,
//!   or at once if repeating would not help, it answers `Unavailable`.
//! * A consumer waits out an outage for as long as it runs, and its state says so.
//! * A service starts a part that failed again, and says since when it tries.
//!
//! Whatever is in between calls once: its caller has a deadline, and may come back with the same request id.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;

/// The first wait while a store cannot be used.
pub const OUTAGE_WAIT_MIN: Duration = Duration::from_millis(20);
/// The longest such wait, without the random share.
pub const OUTAGE_WAIT_MAX: Duration = Duration::from_secs(2);
/// The first wait after others wrote to the same stream.
pub const CONTENTION_WAIT_MIN: Duration = Duration::from_millis(1);
/// The longest such wait, without the random share.
pub const CONTENTION_WAIT_MAX: Duration = Duration::from_millis(50);
/// The first wait before a part that failed is started again.
pub const RESTART_WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest such wait, without the random share.
pub const RESTART_WAIT_MAX: Duration = Duration::from_secs(60);

/// The waits between attempts, without end. Each is twice the one before, up to a bound. A random share of up to as
/// much again keeps those who wait at the same time from coming back together.
#[derive(Debug)]
pub struct Backoff {
    waits: ExponentialBackoff,
    max: Duration,
    begun: bool,
}

impl Backoff {
    /// While a store cannot be used.
    pub fn outage() -> Self {
        Self::between(OUTAGE_WAIT_MIN, OUTAGE_WAIT_MAX)
    }

    /// While others write to the same stream.
    pub fn contention() -> Self {
        Self::between(CONTENTION_WAIT_MIN, CONTENTION_WAIT_MAX)
    }

    /// Before a part of a service that failed is started again.
    pub fn restart() -> Self {
        Self::between(RESTART_WAIT_MIN, RESTART_WAIT_MAX)
    }

    fn between(min: Duration, max: Duration) -> Self {
        let waits = ExponentialBuilder::new().with_min_delay(min).with_max_delay(max);
        Self { waits: waits.without_max_times().with_jitter().build(), max, begun: false }
    }

    /// Whether there was a wait yet. An outage is logged before the first.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.begun = true;
        self.waits.next().unwrap_or(self.max)
    }

    /// Waits. Dropping the future ends that.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_spread() {
        for (mut backoff, min, max) in [
            (Backoff::outage(), OUTAGE_WAIT_MIN, OUTAGE_WAIT_MAX),
            (Backoff::contention(), CONTENTION_WAIT_MIN, CONTENTION_WAIT_MAX),
        ] {
            assert!(!backoff.has_begun());
            for doubled in 0..40 {
                let least = min.saturating_mul(1 << doubled.min(20)).min(max);
                let wait = backoff.next_wait();
                assert!((least..=2 * least).contains(&wait), "{wait:?} after {doubled} waits");
            }
            assert!(backoff.has_begun());
        }
        let [one, other] = [Backoff::outage(), Backoff::outage()].map(|mut backoff| {
            let waits = std::iter::repeat_with(|| backoff.next_wait());
            waits.take(20).collect::<Vec<_>>()
        });
        assert_ne!(one, other);
    }
}
