use crate::Version;
use std::fmt;

/// What an append requires of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExpectedVersion {
    /// Nothing.
    #[default]
    Any,
    /// The stream has no events.
    NoStream,
    /// The stream has at least one event.
    Exists,
    /// The stream's last event has this version. `Exact(Version::ZERO)` is `NoStream`.
    Exact(Version),
}

impl ExpectedVersion {
    /// Whether a stream at `version` (`ZERO`: no events) fulfils the requirement.
    pub const fn allows(self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => version.get() == 0,
            Self::Exists => version.get() > 0,
            Self::Exact(expected) => version.get() == expected.get(),
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no events"),
            Self::Exists => f.write_str("at least one event"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}
