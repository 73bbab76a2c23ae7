//! A time as text: `2026-11-27T09:00Z`, with seconds and their fraction if wanted. Only UTC, so that a text is one time.

use crate::Timestamp;
use std::str::FromStr;

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time; write it like 2026-11-27T09:00Z or 2026-11-27T09:00:30.25Z")]
pub struct InvalidTime(String);

const SECOND_MICROS: i64 = 1_000_000;
const FRACTION_DIGITS: usize = 6;
const MONTH_DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        parse(text).ok_or_else(|| InvalidTime(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) =
        time.split_once('.').map_or((time, None), |(clock, digits)| (clock, Some(digits)));
    let (clock, seconds) = match clock.split_at_checked(5)? {
        (clock, "") if fraction.is_none() => (clock, 0),
        (clock, seconds) => (clock, number(seconds.strip_prefix(':')?, 2, 0..=59)?),
    };
    let (hour, minute) = clock.split_once(':')?;
    let minutes = number(hour, 2, 0..=23)? * 60 + number(minute, 2, 0..=59)?;
    let whole = (days(date)? * 24 * 60 + minutes) * 60 + seconds;
    Some(Timestamp::from_micros(whole * SECOND_MICROS + fraction.map_or(Some(0), micros)?))
}

/// The number that these many digits are, if it is in the range.
fn number(text: &str, digits: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let is_plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && range.contains(number))
}

fn micros(fraction: &str) -> Option<i64> {
    let is_short = (1..=FRACTION_DIGITS).contains(&fraction.len());
    number(&format!("{fraction:0<FRACTION_DIGITS$}"), FRACTION_DIGITS, 0..=999_999).filter(|_| is_short)
}

/// Days from 1970-01-01 to this date.
fn days(date: &str) -> Option<i64> {
    let (year, month_and_day) = date.split_once('-')?;
    let (month, day) = month_and_day.split_once('-')?;
    let (year, month) = (number(year, 4, 1..=9999)?, number(month, 2, 1..=12)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months: Vec<i64> =
        (1..).zip(MONTH_DAYS).map(|(at, days)| days + i64::from(is_leap && at == 2)).collect();
    let (before, rest) = months.split_at_checked(usize::try_from(month - 1).ok()?)?;
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    Some(years + before.iter().sum::<i64>() + number(day, 2, 1..=*rest.first()?)? - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_utc_is_read_to_the_microsecond() {
        for (text, micros) in [
            ("1970-01-01T00:00Z", 0),
            ("2026-11-27T09:00Z", 1_795_770_000_000_000),
            ("2024-02-29T23:59:59.25Z", 1_709_251_199_250_000),
            ("2000-03-01T00:00:00.000001Z", 951_868_800_000_001),
            ("1969-12-31T23:59:59Z", -1_000_000),
            ("0001-01-01T00:00Z", -62_135_596_800_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_an_example() {
        for text in [
            "",
            "2026-11-27",
            "2026-11-27T09:00",
            "2026-11-27T09:00+01:00",
            "2026-02-29T00:00Z",
            "2026-13-01T00:00Z",
            "2026-1-01T00:00Z",
            "2026-01-01T24:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00.5Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567Z",
            "+026-01-01T00:00Z",
            "2026-01-01T0é:0Z",
        ] {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert!(
                error.to_string().ends_with("like 2026-11-27T09:00Z or 2026-11-27T09:00:30.25Z"),
                "{error}"
            );
        }
    }
}
