//! When a subscriber is told about progress that brings it no events.

use annals_event::Sequence;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How often a subscriber is told about progress without events: each time costs a delivery, and every append could
/// cause one.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// During catch-up it is told sooner, after this many sequence numbers, so that the stretch covered by one checkpoint
/// stays bounded.
const PROGRESS_SEQUENCES: u64 = 5_000;

/// What a subscriber was last told. For adapters.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgressPace {
    /// `None`: nothing yet.
    told: Option<(Sequence, Instant)>,
}

impl ProgressPace {
    /// Whether `through` is news at all: it is beyond what was told, or nothing was told.
    pub fn is_news(&self, through: Sequence) -> bool {
        self.told.is_none_or(|(told, _)| through > told)
    }

    /// Whether a subscriber that has everything up to `through` is to be told so now.
    pub fn is_due(&self, through: Sequence) -> bool {
        self.told.is_none_or(|(told, at)| {
            let passed = through.get().saturating_sub(told.get());
            passed >= PROGRESS_SEQUENCES || passed > 0 && at.elapsed() >= PROGRESS_EVERY
        })
    }

    /// Notes that the subscriber is told that it has everything up to `through`.
    pub fn tell(&mut self, through: Sequence) {
        self.told = Some((through, Instant::now()));
    }

    /// Waits for `work` until progress is due; `None`: progress is due, if there is any.
    pub(crate) async fn until_due<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let due = self.told.map_or_else(Instant::now, |(_, at)| at + PROGRESS_EVERY);
        timeout_at(due, work).await.ok()
    }
}
