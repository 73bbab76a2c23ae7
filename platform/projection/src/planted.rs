//! Bugs that a test can switch on, to prove that the tests catch them. Without the feature `planted-bugs` they are not
//! in the program.

#[cfg(feature = "planted-bugs")]
static PLANTED: parking_lot::Mutex<Option<PlantedBug>> = parking_lot::Mutex::new(None);

/// Bugs that real read models had, each switched on at the very place in the code.
#[cfg(feature = "planted-bugs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// Commits the rows of every batch before its checkpoint.
    CheckpointOutsideTransaction,
    /// Moves the checkpoint whoever wrote meanwhile, and wherever it was.
    CheckpointNotCompared,
    /// Looks how far the live generation is before locking it, and completes the candidate no further.
    LiveReadBeforeFence,
    /// Uses snapshots whose file does not match its checksum.
    SnapshotNotChecked,
}

/// Plants a bug in all read models of the process; `None`: they are sound again.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<PlantedBug>) {
    *PLANTED.lock() = bug;
}

#[cfg(feature = "planted-bugs")]
pub(crate) fn is_planted(bug: PlantedBug) -> bool {
    *PLANTED.lock() == Some(bug)
}

/// Whether a bug is planted; without the feature this is the constant `false`.
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(feature = "planted-bugs")]
        {
            $crate::planted::is_planted($crate::planted::PlantedBug::$bug)
        }
        #[cfg(not(feature = "planted-bugs"))]
        {
            false
        }
    }};
}
pub(crate) use planted;
