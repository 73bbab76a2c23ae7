//! Time and chance of a simulation.

use super::random::Random;
use crate::{Clock, Entropy};
use parking_lot::Mutex;
use std::time::Duration;

/// A clock that moves one microsecond every so many readings, and only then: events with equal times, and retries
/// that are equal in every byte, come up all the time. A test may let time pass, and let the clock jump or stand still.
pub struct SimClock {
    time: Mutex<SimTime>,
    readings_per_micro: u64,
}

struct SimTime {
    readings: u64,
    /// What passed beside the readings.
    passed_micros: u64,
    /// How far the clock is ahead of what is right.
    ahead_micros: i64,
    /// Where the clock stands still, if it does.
    stands_at: Option<i64>,
}

/// Where the clock starts: 2100-01-01T00:00:00Z. Request ids that are made by the machine's clock are older.
const START_MICROS: i64 = 4_102_444_800_000_000;

impl SimClock {
    /// A clock that moves on at every `readings_per_micro`-th reading; with 0 it stands still.
    pub const fn new(readings_per_micro: u64) -> Self {
        let time = SimTime { readings: 0, passed_micros: 0, ahead_micros: 0, stands_at: None };
        Self { time: Mutex::new(time), readings_per_micro }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        let mut held = self.time.lock();
        held.passed_micros =
            held.passed_micros.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Sets the clock so far ahead of the right time, or behind it, without time passing. It goes if it stood still.
    pub fn set_ahead_by(&self, micros: i64) {
        let mut held = self.time.lock();
        (held.ahead_micros, held.stands_at) = (micros, None);
    }

    /// Lets the clock stand still while time passes.
    pub fn stand_still(&self) {
        let now = self.now_micros();
        self.time.lock().stands_at = Some(now);
    }

    fn elapsed(&self, held: &SimTime) -> u64 {
        let by_readings = held.readings.checked_div(self.readings_per_micro).unwrap_or(0);
        held.passed_micros.saturating_add(by_readings)
    }
}

impl Clock for SimClock {
    fn now_micros(&self) -> i64 {
        let mut held = self.time.lock();
        held.readings += 1;
        let passed = i64::try_from(self.elapsed(&held)).unwrap_or(i64::MAX);
        held.stands_at.unwrap_or(START_MICROS.saturating_add(passed).saturating_add(held.ahead_micros))
    }

    fn elapsed_micros(&self) -> u64 {
        self.elapsed(&self.time.lock())
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
