//! Whether the server answers: told in a log line when that changes, while calls are still being tried.
//!
//! What always holds:
//!
//! * It is told at most once in [`TOLD_EVERY`] that the server cannot be used. A server that is slow, or refuses some calls and
//!   answers others, fills nobody's log; that it can be used again is told once after that.
//! * An answer that is slow is no outage while there are others.

use annals_store::ReadError;
use parking_lot::Mutex;
use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::{self, Instant};
use tracing::{debug, info, warn};

/// How long there may be no answer to any call before that is told. The call goes on waiting.
const ANSWER_DUE: Duration = Duration::from_secs(1);
/// Least time between two lines that say that the server cannot be used.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The contact to one server.
pub(crate) struct Contact {
    address: String,
    answers: AtomicU64,
    /// The last word in the log is that the server cannot be used.
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

    /// The server did not answer, or said that it cannot.
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

    /// The server answered.
    pub(crate) fn found(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if self.is_told.load(Ordering::Relaxed) && self.is_told.swap(false, Ordering::Relaxed) {
            info!(address = self.address, "the event store can be used again");
        }
    }

    /// Waits for an answer, and tells when nobody gets one.
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

/// Tells what a failed call means. A refusal is an answer too.
pub(crate) fn tell(contact: &Contact, is_lost: bool, error: &impl fmt::Display) {
    if is_lost { contact.lost(error) } else { contact.found() }
}

/// An answer that is none cannot be mended by asking again.
pub(crate) fn not_understood(error: &impl fmt::Display) -> ReadError {
    ReadError::Invalid { reason: format!("the event store's answer is not understood: {error}") }
}

#[cfg(test)]
mod tests;
