//! How a service's process ends: the exit codes, for whoever starts it. `--help` tells them, too.

use std::process::ExitCode;

/// The codes that a service's process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Exit {
    /// It stopped in order, when it was told to.
    Stopped = 0,
    /// A part that the service cannot do without ended for good, or the service could not be put together; standard error says which
    /// and why.
    PartEnded = 1,
    /// The configuration is wrong: starting again does not help.
    Configuration = 2,
    /// The store or the read models cannot be opened, or are damaged.
    Store = 3,
    /// Another process has the address.
    AddressInUse = 4,
    /// Another process holds the data folder.
    FolderHeld = 5,
    /// A second signal ended it at once, in the middle of its work. Nothing that was answered is lost.
    SecondSignal = 130,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
