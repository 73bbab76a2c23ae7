//! The budget of bytes: how much of requests' bodies is held at once, over all connections.
//!
//! What always holds:
//!
//! * A body is read only after the whole of it was reserved, and each request reserves once: whoever holds a part of the budget
//!   needs no more of it, so nobody waits for each other.
//! * Reservations are granted in the order in which they were asked for, and no connection has more than its share.
//! * Of requests that wait no more is held than half of their connection's window, whether it was read or not, so that those with
//!   a reservation get on; more are refused at once.

use crate::limits::{AHEAD_BYTES_MAX, HttpLimits};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget of a server. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    bytes: Arc<Semaphore>,
    share: usize,
    waiting: usize,
}

/// What one connection may have of the budget. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
    /// Bytes that requests may send ahead while they wait.
    waiting: Arc<Semaphore>,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Too many requests of the connection wait already.
#[derive(Debug)]
pub(crate) struct Crowded;

fn permits(bytes: u32) -> usize {
    usize::try_from(bytes).map_or(Semaphore::MAX_PERMITS, |bytes| bytes.min(Semaphore::MAX_PERMITS))
}

impl Budget {
    pub(crate) fn new(limits: &HttpLimits) -> Self {
        let bytes = Arc::new(Semaphore::new(permits(limits.budget())));
        Self { bytes, share: permits(limits.share()), waiting: permits(limits.connection_window() / 2) }
    }

    /// The part of one more connection.
    pub(crate) fn share(&self) -> Share {
        Share {
            all: Arc::clone(&self.bytes),
            own: Arc::new(Semaphore::new(self.share)),
            waiting: Arc::new(Semaphore::new(self.waiting)),
        }
    }
}

impl Share {
    /// Reserves so many bytes: waits for its turn.
    pub(crate) async fn reserve(self, bytes: u32) -> Result<Reservation, Crowded> {
        if let Some(reservation) = self.reserve_now(bytes) {
            return Ok(reservation);
        }
        let ahead = bytes.min(AHEAD_BYTES_MAX);
        let _waiting = self.waiting.try_acquire_many(ahead).map_err(|_| Crowded)?;
        // The semaphores are never closed.
        let own = self.own.acquire_many_owned(bytes).await.map_err(|_| Crowded)?;
        let all = self.all.acquire_many_owned(bytes).await.map_err(|_| Crowded)?;
        Ok(Reservation { _own: own, _all: all })
    }

    /// Gets past nobody: what is given back goes to who waits.
    fn reserve_now(&self, bytes: u32) -> Option<Reservation> {
        let own = Arc::clone(&self.own).try_acquire_many_owned(bytes).ok()?;
        let all = Arc::clone(&self.all).try_acquire_many_owned(bytes).ok()?;
        Some(Reservation { _own: own, _all: all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const MIB: u32 = 1 << 20;

    fn budget() -> Budget {
        Budget::new(&HttpLimits { budget_bytes: 16 * MIB, message_bytes_max: MIB, ..HttpLimits::default() })
    }

    #[tokio::test]
    async fn one_connection_has_a_quarter_and_leaves_the_rest_to_others() {
        let budget = budget();
        let (one, other) = (budget.share(), budget.share());
        let held = one.clone().reserve(4 * MIB).await.unwrap();
        let mut waits = Box::pin(one.reserve(1));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(other.reserve(4 * MIB).now_or_never().is_some());
        drop(held);
        assert!(waits.now_or_never().is_some());
    }

    #[tokio::test]
    async fn reservations_are_granted_in_order_and_a_small_one_gets_past_nobody() {
        let budget = budget();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(budget.share().reserve(4 * MIB - 1).await.unwrap());
        }
        let mut large = Box::pin(budget.share().reserve(MIB));
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = Box::pin(budget.share().reserve(1));
        assert!(small.as_mut().now_or_never().is_none(), "four bytes are left, and the large one is first");
        held.pop();
        assert!(large.now_or_never().is_some());
        assert!(small.now_or_never().is_some());
    }

    #[tokio::test]
    async fn more_than_half_a_window_of_waiting_requests_is_refused() {
        let share = budget().share();
        let _held = share.clone().reserve(4 * MIB).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let mut waits = Box::pin(share.clone().reserve(MIB));
            assert!(waits.as_mut().now_or_never().is_none());
            waiting.push(waits);
        }
        assert!(matches!(share.clone().reserve(MIB).now_or_never(), Some(Err(Crowded))));
        waiting.pop();
        assert!(share.reserve(MIB).now_or_never().is_none(), "who gave up makes room");
    }
}
