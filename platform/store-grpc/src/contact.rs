//! Whether the server answers: told in a log line once each time that it changes, while calls are still being tried.

use annals_store::ReadError;
use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time;
use tracing::{info, warn};

/// How long an answer may take before that is told. The call goes on waiting.
const ANSWER_DUE: Duration = Duration::from_secs(1);

/// The contact to one server.
pub(crate) struct Contact {
    address: String,
    lost: AtomicBool,
}

impl Contact {
    pub(crate) fn to(address: &str) -> Self {
        Self { address: address.to_owned(), lost: AtomicBool::new(false) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The server did not answer, or said that it cannot.
    pub(crate) fn lost(&self, reason: &impl fmt::Display) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            warn!(address = self.address, %reason, "the event store cannot be used now; trying again");
        }
    }

    /// The server answered.
    pub(crate) fn found(&self) {
        if self.lost.load(Ordering::Relaxed) && self.lost.swap(false, Ordering::Relaxed) {
            info!(address = self.address, "the event store can be used again");
        }
    }

    /// Waits for an answer, and tells when it is overdue.
    pub(crate) async fn waiting<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        match time::timeout(ANSWER_DUE, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.lost(&format_args!("no answer for {ANSWER_DUE:?}"));
                answer.await
            }
        }
    }
}

/// An answer that is none cannot be mended by asking again.
pub(crate) fn not_understood(error: &impl fmt::Display) -> ReadError {
    ReadError::Invalid { reason: format!("the event store's answer is not understood: {error}") }
}
