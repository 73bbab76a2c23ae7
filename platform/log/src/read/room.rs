//! Whether there is room for appends: what the log tells those who operate it.

use crate::error::AppendError;
use crate::read::low_water::Purpose;
use crate::read::reader::Reader;
use annals_event::Receipt;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The room on a log's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// How many bytes are free now; `None`: the system does not say.
    pub free_bytes: Option<u64>,
    /// How many of them appends leave free: the reserve, and room for what must be written before segments can go.
    pub reserve_bytes: u64,
    /// Why appends are refused for want of room, the platform's own to `$` streams aside: there is less than the reserve
    /// now, or there was too little for the last append. `None`: they are not.
    pub refused: Option<Arc<str>>,
}

impl Room {
    pub(crate) fn of(reader: &Reader) -> Self {
        let shared = &reader.shared;
        let headroom = shared.headroom();
        let refused = headroom.allows(Purpose::Users, 0).err().map(Arc::from);
        Self {
            free_bytes: shared.environment.disk.free_bytes().ok(),
            reserve_bytes: headroom.kept_bytes(Purpose::Users),
            refused: refused.or_else(|| shared.shortage.reason()),
        }
    }
}

/// Why appends of users are refused for want of room, if they are: as the last append was told, or whoever looked at the disk
/// since. So it is known without looking, and room that comes back is seen although nobody appends.
#[derive(Default)]
pub(crate) struct Shortage {
    /// So that appends that have room take no lock.
    is_short: AtomicBool,
    reason: Mutex<Option<Arc<str>>>,
}

impl Shortage {
    /// Takes note of what became of a user's append.
    pub(crate) fn note(&self, answer: &Result<Receipt, AppendError>) {
        match answer {
            Ok(receipt) if !receipt.repeated => self.end(),
            Err(AppendError::NoSpace { reason }) => self.begin(reason.clone()),
            _ => {}
        }
    }

    pub(crate) fn begin(&self, reason: Arc<str>) {
        if !self.is_short.load(Ordering::Relaxed) {
            tracing::warn!(%reason, "appends are refused until there is room for them");
        }
        self.set(Some(reason));
    }

    pub(crate) fn end(&self) {
        if self.is_short.load(Ordering::Relaxed) {
            tracing::info!("there is room for appends again");
            self.set(None);
        }
    }

    fn set(&self, reason: Option<Arc<str>>) {
        self.is_short.store(reason.is_some(), Ordering::Relaxed);
        *self.reason.lock() = reason;
    }

    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        self.reason.lock().clone()
    }
}
