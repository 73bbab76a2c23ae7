//! Trying again: with growing waits, for a bounded time.

use crate::Options;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio::time::Instant;

/// The attempts of one request.
pub(crate) struct Retry {
    delays: ExponentialBackoff,
    deadline: Instant,
}

impl Retry {
    /// Attempts that begin now.
    pub(crate) fn new(options: &Options) -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(options.retry_delay_min)
            .with_max_delay(options.retry_delay_max)
            .without_max_times()
            .with_jitter()
            .build();
        Self { delays, deadline: Instant::now() + options.retry_time_max }
    }

    /// Waits for the time of the next attempt; `false` when there is to be none.
    pub(crate) async fn again(&mut self) -> bool {
        let delay = self.delays.next().unwrap_or(Duration::MAX);
        if Instant::now().checked_add(delay).is_none_or(|at| at > self.deadline) {
            return false;
        }
        tokio::time::sleep(delay).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_end_in_bounded_time_and_their_waits_grow() {
        let options = Options::default();
        let mut retry = Retry::new(&options);
        let begun = Instant::now();
        let mut attempts = 0_u32;
        while retry.again().await {
            attempts += 1;
        }
        assert!((10..40).contains(&attempts), "{attempts}");
        assert!(begun.elapsed() <= options.retry_time_max);
    }
}
