use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// How many requests a server has answered, by status: those of its routes, and those that it refused by itself. Cloning it gives
/// another handle.
#[derive(Clone, Debug, Default)]
pub struct Answered(Arc<Mutex<BTreeMap<u16, u64>>>);

impl Answered {
    /// Counts an answer of this status.
    pub(crate) fn count(&self, status: u16) {
        let mut counts = self.0.lock();
        let count = counts.entry(status).or_default();
        *count = count.saturating_add(1);
    }

    /// Each status that was answered, and how often.
    pub fn now(&self) -> BTreeMap<u16, u64> {
        self.0.lock().clone()
    }
}
