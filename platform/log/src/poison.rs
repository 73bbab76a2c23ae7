//! A failed write or sync of the commit path ends all writing until the log is reopened: the system may have
//! marked the lost pages clean, so a second try would succeed and prove nothing.

use std::sync::{Arc, OnceLock};

/// Why the log stopped writing, if it did. It never starts again.
#[derive(Default)]
pub(crate) struct Poison {
    reason: OnceLock<Arc<str>>,
}

impl Poison {
    /// Stops the log; the first reason stays.
    pub(crate) fn set(&self, reason: &dyn std::fmt::Display) -> Arc<str> {
        let reason = self.reason.get_or_init(|| reason.to_string().into());
        tracing::error!(%reason, "the log stops writing after a failed write or sync; reopen it to recover");
        reason.clone()
    }
    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        self.reason.get().cloned()
    }
}
