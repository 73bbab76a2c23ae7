//! A calendar day. It is kept as `YYYY-MM-DD`, which sorts as days do, and exists only if the calendar has it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A day of the Gregorian calendar, years 0001 to 9999.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(String);

/// A text that is not a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a day of the calendar; write YYYY-MM-DD, like 1997-01-18")]
pub struct InvalidDay(String);

impl Day {
    /// The day as `YYYY-MM-DD`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Day {
    type Err = InvalidDay;
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Day {
    type Error = InvalidDay;
    fn try_from(text: String) -> Result<Self, InvalidDay> {
        if is_day(&text) { Ok(Self(text)) } else { Err(InvalidDay(text)) }
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In this form alone: other ways to write a day would be other texts for the same one.
fn is_day(text: &str) -> bool {
    text.parse::<Date>().is_ok_and(|day| day.year() >= 1 && day.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar_pass_and_sort_as_days() {
        for good in ["1997-01-01", "1996-02-29", "2000-02-29", "1998-06-30", "9999-12-31"] {
            assert_eq!(good.parse::<Day>().unwrap().as_str(), good);
        }
        assert!("1997-12-31".parse::<Day>().unwrap() < "1998-01-01".parse().unwrap());
    }

    #[test]
    fn what_the_calendar_does_not_have_is_refused() {
        for bad in [
            "",
            "1997",
            "1997-1-1",
            "1997-13-01",
            "1997-00-10",
            "1997-02-29",
            "1900-02-29",
            "1997-04-31",
            "1997-01-00",
            "0000-01-01",
            "1997-01-01-",
            "19970101",
            "1997-01-0x",
            "+997-01-01",
            "1997-01-01T00:00",
            "-000001-01-01",
            "１997-01-01",
        ] {
            assert!(bad.parse::<Day>().is_err(), "{bad:?}");
        }
    }
}
