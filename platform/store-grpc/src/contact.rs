//! Whether the server answers. A log line says when that changes, while calls are still being retried.
//!
//! What always holds:
//!
//! * "Cannot be used" is logged at most once in [`TOLD_EVERY`], so a slow server, or one that answers only some calls, does
//!   not flood the log. "Can be used again" is logged once after it.
//! * One slow answer is not an outage as long as other calls are answered.

use annals_store::ReadError;
use parking_lot::Mutex;
use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::{self, Instant};
use tracing::{debug, info, warn};

/// How long the server may leave all calls unanswered before that is logged. The calls keep waiting.
const ANSWER_DUE: Duration = Duration::from_secs(1);
/// Minimum time between two log lines that say that the server cannot be used.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Whether one server answers.
pub(crate) struct Contact {
    address: String,
    answers: AtomicU64,
    /// Whether the latest log line says that the server cannot be used.
    is_told: AtomicBool,
    told_at: Mutex<Option<Instant>>,
}

impl Contact {
    pub(crate) fn to(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            answers: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
            told_at: Mutex::new(None),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Notes that the server did not answer, or that it said it is unavailable.
    pub(crate) fn lost(&self, reason: &impl fmt::Display) {
        if self.is_told.load(Ordering::Relaxed) {
            return;
        }
        let mut told_at = self.told_at.lock();
        if told_at.is_some_and(|at| at.elapsed() < TOLD_EVERY) {
            debug!(address = self.address, %reason, "a call was not answered");
            return;
        }
        *told_at = Some(Instant::now());
        self.is_told.store(true, Ordering::Relaxed);
        warn!(address = self.address, %reason, "the event store cannot be used now; trying again");
    }

    /// Notes that the server answered.
    pub(crate) fn found(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if self.is_told.load(Ordering::Relaxed) && self.is_told.swap(false, Ordering::Relaxed) {
            info!(address = self.address, "the event store can be used again");
        }
    }

    /// Waits for an answer. Notes an outage when no call to the server gets one.
    pub(crate) async fn waiting<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        loop {
            let answers = self.answers.load(Ordering::Relaxed);
            if let Ok(answer) = time::timeout(ANSWER_DUE, &mut answer).await {
                return answer;
            }
            if self.answers.load(Ordering::Relaxed) == answers {
                self.lost(&format_args!("no answer for {ANSWER_DUE:?}"));
            }
        }
    }
}

/// Notes how a failed call ended: without an answer, or with a refusal, which is an answer too.
pub(crate) fn tell(contact: &Contact, is_lost: bool, error: &impl fmt::Display) {
    if is_lost { contact.lost(error) } else { contact.found() }
}

/// The error for an answer that cannot be decoded. Asking again would not help, so it is not retryable.
pub(crate) fn not_understood(error: &impl fmt::Display) -> ReadError {
    ReadError::Invalid { reason: format!("cannot decode the event store's answer: {error}") }
}

#[cfg(test)]
mod tests;
