//! Positions: in the log, in a stream, in time.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    ops::{Add, Sub},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

macro_rules! position {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);
            /// The first.
            pub const FIRST: Self = Self(1);
            /// After the last possible one.
            pub const MAX: Self = Self(u64::MAX);

            /// The place with this number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }
            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }
            /// The next possible place. Whether anything is there is another question.
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
            /// The previous possible place; `ZERO` has none and stays.
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

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted. In JSON it is that number, as it is in columns of
/// read models and over the network.
///
/// This crate has no clock; whoever has one converts: `Timestamp::from(SystemTime::now())`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
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
    /// How long after `earlier` it is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0))
    }
}

/// To the microsecond below; what is out of range becomes the latest time.
impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(u64::try_from(after.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// To the microsecond below; what is out of range becomes the earliest time.
impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, before: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(u64::try_from(before.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Rounded towards the epoch to microseconds; a time out of range becomes the earliest or the latest.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)),
            Err(before) => {
                let micros = i64::try_from(before.duration().as_micros());
                Self(micros.map_or(i64::MIN, |micros| -micros))
            }
        }
    }
}

/// Fails for a time that `SystemTime` cannot represent on this system.
impl TryFrom<Timestamp> for SystemTime {
    type Error = TimeOutOfReach;

    fn try_from(Timestamp(micros): Timestamp) -> Result<Self, TimeOutOfReach> {
        let distance = Duration::from_micros(micros.unsigned_abs());
        let time =
            if micros < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        time.ok_or(TimeOutOfReach(micros))
    }
}

/// A time that `SystemTime` cannot represent on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time {0} µs after 1970 cannot be represented on this system")]
pub struct TimeOutOfReach(i64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn times_are_moved_by_durations_and_stop_at_the_ends() {
        let (noon, hour) = (Timestamp::from_micros(1_000_000), Duration::from_secs(3_600));
        assert_eq!((noon + hour).as_micros(), 3_601_000_000);
        assert_eq!((noon - hour).as_micros(), -3_599_000_000);
        assert_eq!(((noon + hour).since(noon), noon.since(noon + hour)), (hour, Duration::ZERO));
        let (earliest, latest) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        assert_eq!((latest + hour, earliest - hour), (latest, earliest));
        assert_eq!(noon + Duration::MAX, latest);
        assert_eq!(latest.since(earliest), Duration::from_micros(u64::MAX));
    }

    #[test]
    fn a_time_is_its_number_in_json_and_comes_back() {
        for micros in [i64::MIN, -1, 0, 1_700_000_000_000_001, i64::MAX] {
            let time = Timestamp::from_micros(micros);
            let stored = json::to_vec(&time).unwrap();
            assert_eq!(String::from_utf8(stored.clone()).unwrap(), micros.to_string());
            assert_eq!(json::from_slice::<Timestamp>(&stored), Ok(time));
        }
        assert_eq!(json::to_vec(&(Sequence::new(7), Version::FIRST)).unwrap(), b"[7,1]");
    }

    #[test]
    fn a_time_goes_to_the_systems_and_back_on_both_sides_of_the_epoch() {
        for micros in [-62_135_596_800_000_000, -1_500_001, -1, 0, 1, 1_700_000_000_000_001] {
            let time = SystemTime::try_from(Timestamp::from_micros(micros)).unwrap();
            assert_eq!(Timestamp::from(time).as_micros(), micros);
        }
        let between = UNIX_EPOCH + Duration::from_nanos(1_999);
        assert_eq!(Timestamp::from(between).as_micros(), 1);
    }
}
