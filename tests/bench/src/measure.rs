//! Times and what is computed from them.

use std::time::{Duration, Instant};

/// The durations of many equal steps, sorted.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// The duration in microseconds that `share` of the steps do not exceed; 0.5 is the median.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let at = (share * lossy(self.0.len())).ceil() - 1.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within 0..len by construction"
        )]
        let at = at.max(0.0) as usize;
        self.0.get(at.min(self.0.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
}

/// Runs `step` and returns how long it took.
pub(crate) async fn timed<T>(step: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let done = step.await;
    (done, begun.elapsed())
}

/// `count` in `time`, per second.
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    lossy(count) / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people; 53 bits are plenty")]
pub(crate) fn lossy(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_durations() {
        let latencies = Latencies::new((1..=100).rev().map(Duration::from_micros).collect());
        assert_eq!(latencies.quantile_us(0.5).round(), 50.0);
        assert_eq!(latencies.quantile_us(0.99).round(), 99.0);
        assert_eq!(latencies.quantile_us(0.999).round(), 100.0);
        assert_eq!(Latencies::new(vec![]).quantile_us(0.5), 0.0);
    }
}
