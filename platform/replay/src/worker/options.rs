use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;

/// How the worker works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// How often the progress of a fold is read from the candidate's control row.
    pub progress_every: Duration,
    /// The first pause before a step that could not be done is tried again; it doubles up to `retry_max`.
    pub retry_min: Duration,
    /// The longest pause before a step that could not be done is tried again.
    pub retry_max: Duration,
    /// The candidate is verified once it is at most so many sequence numbers behind the live generation.
    pub caught_up_within: u64,
    /// How often one looks whether the lease of another worker is free.
    pub standby_every: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            progress_every: Duration::from_millis(100),
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(10),
            caught_up_within: 1_000,
            standby_every: Duration::from_millis(500),
        }
    }
}

impl WorkerOptions {
    /// The pauses before something is tried again.
    pub(super) fn delays(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.retry_min)
            .with_max_delay(self.retry_max)
            .without_max_times()
            .with_jitter()
            .build()
    }
}
