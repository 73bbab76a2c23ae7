//! Places: in the log, in a stream, in time.

use std::fmt;

macro_rules! position {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);
            /// The first.
            pub const FIRST: Self = Self(1);
            /// After the last that can be.
            pub const MAX: Self = Self(u64::MAX);

            /// The place with this number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }
            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }
            /// The least place that is greater than this one. Whether anything is there is another question.
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
            /// The greatest place that is less than this one; `ZERO` has none and stays.
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
            /// The place `count` further on.
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl From<$name> for u64 {
            fn from(place: $name) -> u64 {
                place.0
            }
        }
    };
}

position! {
    /// Sequence number: an event's place in the log. Strictly increasing in commit order, from 1; there may be
    /// gaps (the embedded log has none). `ZERO` is the place before the first event.
    Sequence
}
position! {
    /// An event's place in its stream: from 1, dense. `ZERO` is the version of a stream without events.
    Version
}

/// The events from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceRange {
    /// The first event's place.
    pub first: Sequence,
    /// The last event's place; never below `first`.
    pub last: Sequence,
}

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time this many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}
