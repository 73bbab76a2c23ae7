//! Waiting for the head to move.

use crate::queue::Queue;
use crate::read::{Reader, Shared};
use annals_event::Sequence;
use std::sync::Arc;

/// A wait for the head to move; dropping it ends the wait.
#[must_use = "dropping it ends the wait"]
pub struct HeadWait {
    shared: Arc<Shared>,
    id: Option<u64>,
}

/// Tells when the head moves, for as long as the log is open.
#[derive(Clone)]
pub struct HeadWatch {
    pub(super) reader: Reader,
    pub(super) queue: Arc<Queue>,
}

impl HeadWatch {
    /// What reads the log whose head this is.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Calls `wake` with the head as soon as that is past `past`; at once, on this thread, if it already is, else
    /// from the writer's thread. When nothing more will come, because the log was closed or stopped writing, `wake` is
    /// dropped without being called; [`Log::stopped`](crate::Log::stopped) says why.
    pub fn on_head(&self, past: Sequence, wake: Box<dyn FnOnce(Sequence) + Send>) -> HeadWait {
        let shared = self.reader.shared.clone();
        let mut waiters = shared.waiters.lock();
        let head = self.reader.head();
        if head > past {
            drop(waiters);
            wake(head);
            return HeadWait { shared, id: None };
        }
        // Asked under the waiters' lock: whoever ends the writing says so first, then lets all waiters go.
        let ended = self.queue.is_done() || shared.poison.reason().is_some();
        let id = (!ended).then(|| waiters.add(past, wake));
        drop(waiters);
        HeadWait { shared, id }
    }
}

impl Drop for HeadWait {
    fn drop(&mut self) {
        let wake = self.id.and_then(|id| self.shared.waiters.lock().remove(id));
        // Dropped outside of the lock: it is not known what it holds.
        drop(wake);
    }
}
