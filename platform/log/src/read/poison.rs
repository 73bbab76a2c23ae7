//! Why a log stops writing, and that whoever waits hears of it.
//!
//! A failed write or sync of the commit path ends all writing until the log is reopened: the system may have marked the
//! lost pages clean, so a second try would succeed and prove nothing. So does a folder that is no longer the log's.
//!
//! What always holds: there is one way to stop a log, and it wakes all who wait for the head.

use crate::read::shared::Shared;
use std::{
    fmt::Display,
    io,
    sync::{Arc, OnceLock},
};

/// Why the log stopped writing, if it did. It never starts again.
#[derive(Default)]
pub(crate) struct Poison {
    reason: OnceLock<Arc<str>>,
}

impl Poison {
    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        self.reason.get().cloned()
    }
}

impl Shared {
    /// Stops the log's writing, for ever. The first reason stays; whoever waits for the head is let go.
    pub(crate) fn stop_writing(&self, reason: &dyn Display) -> Arc<str> {
        let reason = self.poison.reason.get_or_init(|| {
            let reason: Arc<str> = reason.to_string().into();
            tracing::error!(%reason, "the log stops writing");
            reason
        });
        let waiting = self.waiters.lock().take_all();
        // Dropped outside of the lock: it is not known what they hold.
        drop(waiting);
        reason.clone()
    }

    /// The same after a failed write or sync.
    pub(crate) fn stop_after(&self, error: &io::Error) -> Arc<str> {
        self.stop_writing(&format_args!("a write or sync failed ({error}); open the log again to recover it"))
    }
}
