//! What can go wrong on purpose.

use std::io;

/// One operation, or one and all that follow, fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number of the first operation that fails, as [`SimDisk::ios`](super::SimDisk::ios) counts them.
    pub at: u64,
    /// How long it lasts.
    pub lasts: Lasts,
    /// The error.
    pub kind: FaultKind,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// For one operation.
    Once,
    /// For ever.
    Forever,
}

/// The error that a fault gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// EIO: the medium.
    Medium,
    /// ENOSPC: no space, no inodes.
    NoSpace,
    /// EMFILE: no handles.
    NoHandles,
}

const EIO: i32 = 5;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

impl FaultKind {
    pub(crate) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Medium => EIO,
            Self::NoSpace => ENOSPC,
            Self::NoHandles => EMFILE,
        })
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) fault: Option<Fault>,
    pub(crate) cut_after: Option<u64>,
    pub(crate) capacity_bytes: Option<u64>,
    power_is_off: bool,
}

impl Faults {
    /// An error once the power is off.
    pub(crate) fn reachable(&self) -> io::Result<()> {
        if self.power_is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Whether operation `number` succeeds.
    pub(crate) fn decide(&mut self, number: u64) -> io::Result<()> {
        if self.cut_after.is_some_and(|last| number > last) {
            self.power_is_off = true;
        }
        self.reachable()?;
        match self.fault {
            Some(fault) if fault.hits(number) => Err(fault.kind.error()),
            _ => Ok(()),
        }
    }
}

impl Fault {
    const fn hits(&self, number: u64) -> bool {
        match self.lasts {
            Lasts::Once => number == self.at,
            Lasts::Forever => number >= self.at,
        }
    }
}
