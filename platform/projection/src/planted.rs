//! Faults that a test can switch on, to prove that it would notice them. Without the feature `planted-bugs` they
//! are not in the program.

#[cfg(feature = "planted-bugs")]
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "planted-bugs")]
static CHECKPOINT_OUTSIDE_TRANSACTION: AtomicBool = AtomicBool::new(false);

/// Commits the rows of every batch before its checkpoint.
#[cfg(feature = "planted-bugs")]
pub fn plant_checkpoint_outside_transaction(planted: bool) {
    CHECKPOINT_OUTSIDE_TRANSACTION.store(planted, Ordering::SeqCst);
}

pub(crate) fn checkpoint_outside_transaction() -> bool {
    #[cfg(feature = "planted-bugs")]
    return CHECKPOINT_OUTSIDE_TRANSACTION.load(Ordering::SeqCst);
    #[cfg(not(feature = "planted-bugs"))]
    false
}
