//! The low-water mark: appends are refused while the disk still has space, so that what must go on can go on.
//!
//! What always holds:
//!
//! * All appends leave room for the next [base](crate::format::Base), which must be written before segments can go: a full disk can
//!   free itself, however many streams there are. They also leave room for the indexes that are still to be written, which are
//!   written without asking.
//! * Beyond that, users' appends leave [`Options::reserve_bytes`](crate::Options::reserve_bytes) free, the platform's own a
//!   quarter of it: a replay that fills the disk can still be cancelled.
//! * A refusal for want of space changes nothing; the next append looks anew, so space that comes back is used at once.

use crate::disk::Disk;
use crate::state::Pending;

/// What part of the reserve is kept free of the platform's own appends too.
const PLATFORM_SHARE: u64 = 4;

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Users,
    /// All streams and marks of the append have names that begin with `$`.
    Platform,
}

impl Purpose {
    pub(crate) fn of(pending: &Pending) -> Self {
        let streams = pending.writes.iter().map(|write| write.condition.stream.is_reserved());
        let marks = pending.marks.iter().map(|update| update.mark.is_reserved());
        if streams.chain(marks).all(|reserved| reserved) { Self::Platform } else { Self::Users }
    }
}

/// How much space there was when somebody last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Headroom {
    /// `None`: it is not known, or nobody wants to know. Then what the disk itself says decides.
    free_bytes: Option<u64>,
    reserve_bytes: u64,
    /// What must still be written for what is there: the next base, and the indexes that have no files yet.
    owed_bytes: u64,
}

impl Headroom {
    pub(crate) fn look(disk: &dyn Disk, reserve_bytes: u64, owed_bytes: u64) -> Self {
        let free_bytes = if reserve_bytes == 0 { None } else { disk.free_bytes().ok() };
        let owed_bytes = if reserve_bytes == 0 { 0 } else { owed_bytes };
        Self { free_bytes, reserve_bytes, owed_bytes }
    }

    /// How many bytes are kept free of such appends.
    pub(crate) const fn kept_bytes(self, purpose: Purpose) -> u64 {
        let beyond_owed = match purpose {
            Purpose::Users => self.reserve_bytes,
            Purpose::Platform => self.reserve_bytes / PLATFORM_SHARE,
        };
        beyond_owed.saturating_add(self.owed_bytes)
    }

    /// Whether `bytes` more may be taken; if not, why.
    pub(crate) fn allows(self, purpose: Purpose, bytes: u64) -> Result<(), String> {
        let kept = self.kept_bytes(purpose);
        match self.free_bytes {
            Some(free) if free < kept.saturating_add(bytes) => Err(match bytes {
                0 => format!("{free} bytes are free on the disk, {kept} are kept in reserve"),
                _ => format!(
                    "{free} bytes are free on the disk, {kept} are kept in reserve, {bytes} are needed"
                ),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_leave_the_reserve_and_the_platform_a_quarter_of_it() {
        let free = |free_bytes| Headroom { free_bytes, reserve_bytes: 1_000, owed_bytes: 0 };
        let allows = |free: Headroom, purpose| free.allows(purpose, 100).is_ok();
        for (bytes, users, platform) in [
            (1_100, true, true),
            (1_099, false, true),
            (350, false, true),
            (349, false, false),
            (0, false, false),
        ] {
            assert_eq!(allows(free(Some(bytes)), Purpose::Users), users, "{bytes}");
            assert_eq!(allows(free(Some(bytes)), Purpose::Platform), platform, "{bytes}");
        }
        assert!(allows(free(None), Purpose::Users), "where nobody knows, the disk decides");
        let with_owed = |free_bytes| Headroom { owed_bytes: 5_000, ..free(Some(free_bytes)) };
        for (bytes, users, platform) in [(6_100, true, true), (6_099, false, true), (5_349, false, false)] {
            assert_eq!(allows(with_owed(bytes), Purpose::Users), users, "{bytes} beside what is owed");
            assert_eq!(allows(with_owed(bytes), Purpose::Platform), platform, "{bytes} beside what is owed");
        }
    }
}
