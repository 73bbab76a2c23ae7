//! How long and how often something is tried again.

use backon::{ExponentialBuilder, Retryable, TokioSleeper};
use std::{future::Future, time::Duration};

/// How often an append or a read is repeated while the store is unavailable: about three seconds in all.
const UNAVAILABLE_RETRIES_MAX: usize = 7;
const UNAVAILABLE_DELAY_MIN: Duration = Duration::from_millis(20);
const UNAVAILABLE_DELAY_MAX: Duration = Duration::from_secs(1);
const CONFLICT_DELAY_MIN: Duration = Duration::from_millis(1);
const CONFLICT_DELAY_MAX: Duration = Duration::from_millis(50);

/// Repeats `operation` while it fails with an error that `is_retryable`.
pub(crate) async fn while_unavailable<T, E, F>(
    operation: impl FnMut() -> F,
    is_retryable: impl FnMut(&E) -> bool,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: std::fmt::Display,
{
    let delays = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(UNAVAILABLE_DELAY_MIN)
        .with_max_delay(UNAVAILABLE_DELAY_MAX)
        .with_max_times(UNAVAILABLE_RETRIES_MAX);
    operation
        .retry(delays)
        .sleep(TokioSleeper)
        .when(is_retryable)
        .notify(|error, delay| tracing::warn!(%error, ?delay, "trying again"))
        .await
}

/// The delays before each further attempt after a conflict. Jitter keeps two writers from meeting again.
pub(crate) fn conflict_delays(retries_max: usize) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(CONFLICT_DELAY_MIN)
        .with_max_delay(CONFLICT_DELAY_MAX)
        .with_max_times(retries_max)
}
