//! Retention in the background.

use crate::LogStore;
use annals_log::{RetainError, Retention};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Drops what a log need not keep any more, as soon as it is worth it.
pub struct Retainer {
    store: LogStore,
    retention: Retention,
    every: Duration,
}

impl Retainer {
    /// How often it looks by default.
    pub const EVERY_DEFAULT: Duration = Duration::from_secs(60);

    /// Keeps as much of the log in `store` as `retention` says.
    pub fn new(store: LogStore, retention: Retention) -> Self {
        Self { store, retention, every: Self::EVERY_DEFAULT }
    }

    /// The same, looking at this interval.
    #[must_use]
    pub fn every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// Runs until `shutdown`. A failure is logged and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut failed_before = false;
        loop {
            let result = self.store.retain_when_due(self.retention).await;
            if let Err(error) = &result {
                self.report(error, failed_before);
            }
            failed_before = result.is_err();
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Reported once, not every minute for days.
    fn report(&self, error: &RetainError, failed_before: bool) {
        if !failed_before {
            error!(%error, "the log grows beyond its retention");
        }
    }
}
