//! Time and chance of a simulation.

use super::random::Random;
use crate::{Clock, Entropy};
use parking_lot::Mutex;

/// A clock that moves one microsecond every so many readings, and only then: events with equal times, and retries
/// that are equal in every byte, come up all the time.
pub struct SimClock {
    readings: Mutex<u64>,
    readings_per_micro: u64,
}

/// Where the clock starts: 2026-01-01T00:00:00Z.
const START_MICROS: i64 = 1_767_225_600_000_000;

impl SimClock {
    /// A clock that moves on at every `readings_per_micro`-th reading; with 0 it stands still.
    pub const fn new(readings_per_micro: u64) -> Self {
        Self { readings: Mutex::new(0), readings_per_micro }
    }
}

impl Clock for SimClock {
    fn now_micros(&self) -> i64 {
        let mut readings = self.readings.lock();
        *readings += 1;
        let passed = readings.checked_div(self.readings_per_micro).unwrap_or(0);
        START_MICROS.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

/// Randomness from a seed.
pub struct SimEntropy {
    random: Mutex<Random>,
}

impl SimEntropy {
    /// The randomness of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { random: Mutex::new(Random::new(seed)) }
    }
}

impl Entropy for SimEntropy {
    fn next_u128(&self) -> u128 {
        let mut random = self.random.lock();
        u128::from(random.number()) << 64 | u128::from(random.number())
    }
}
