//! When a subscriber is told of progress that brings it no events.

use annals_event::Sequence;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How often a subscriber is told of progress without events: each time costs it a delivery, and every append could be one.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Behind the head it is told earlier when it has passed so many sequence numbers, so that what is passed over by one
/// checkpoint stays bounded.
const PROGRESS_SEQUENCES: u64 = 5_000;

/// What a subscriber was told last. For adapters.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgressPace {
    /// `None`: nothing yet.
    told: Option<(Sequence, Instant)>,
}

impl ProgressPace {
    /// Whether there is news at `through` at all: it lies behind what was told, or nothing was.
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

    /// The subscriber is told that it has everything up to `through`.
    pub fn tell(&mut self, through: Sequence) {
        self.told = Some((through, Instant::now()));
    }

    /// Waits for `work` for as long as progress is not due; `None`: it would be, if there was any.
    pub(crate) async fn until_due<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let due = self.told.map_or_else(Instant::now, |(_, at)| at + PROGRESS_EVERY);
        timeout_at(due, work).await.ok()
    }
}
