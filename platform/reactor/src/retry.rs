//! How long the worker waits before it tries again, for as long as it runs.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const UNAVAILABLE_DELAY_MIN: Duration = Duration::from_millis(20);
const UNAVAILABLE_DELAY_MAX: Duration = Duration::from_secs(5);
const CONFLICT_DELAY_MIN: Duration = Duration::from_millis(1);
const CONFLICT_DELAY_MAX: Duration = Duration::from_millis(50);

/// Growing delays with jitter, without end.
pub(crate) struct Delays {
    delays: ExponentialBackoff,
    longest: Duration,
}

impl Delays {
    /// While the store is unavailable.
    pub(crate) fn unavailable() -> Self {
        Self::between(UNAVAILABLE_DELAY_MIN, UNAVAILABLE_DELAY_MAX)
    }
    /// While others write to the same stream.
    pub(crate) fn conflict() -> Self {
        Self::between(CONFLICT_DELAY_MIN, CONFLICT_DELAY_MAX)
    }
    fn between(shortest: Duration, longest: Duration) -> Self {
        let delays = ExponentialBuilder::default().with_min_delay(shortest).with_max_delay(longest);
        Self { delays: delays.with_jitter().without_max_times().build(), longest }
    }

    /// Waits for the next delay; at once when the worker is to stop.
    pub(crate) async fn pause(&mut self, stop: &CancellationToken) {
        let delay = self.delays.next().unwrap_or(self.longest);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }
}
