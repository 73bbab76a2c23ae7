//! Money is a whole number of cents. It is read from decimals digit by digit, never through a float: a
//! truncated 0.29 * 100 is 28.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An amount in cents of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(i64);

/// A text that is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount of dollars; write digits with at most two decimals, like 29.33")]
pub struct InvalidAmount(String);

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many cents.
    pub const fn new(cents: i64) -> Self {
        Self(cents)
    }
    /// How many cents.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl FromStr for Cents {
    type Err = InvalidAmount;

    /// Reads dollars: `29`, `29.3` or `29.33`. No sign, no exponent, no thousands separator.
    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        dollars(text).map(Self).ok_or_else(|| InvalidAmount(text.to_owned()))
    }
}

fn dollars(text: &str) -> Option<i64> {
    let (whole, cents) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, decimal_cents(decimals)?),
        None => (text, 0),
    };
    digits(whole)?.checked_mul(100)?.checked_add(cents)
}

fn decimal_cents(decimals: &str) -> Option<i64> {
    match decimals.len() {
        1 => Some(digits(decimals)? * 10),
        2 => digits(decimals),
        _ => None,
    }
}

/// `str::parse` alone would also take a sign.
fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|c| c.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_become_cents_exactly() {
        for (text, cents) in
            [("29.33", 2933), ("0.29", 29), ("8.7", 870), ("12", 1200), ("0.00", 0), ("506.97", 50697)]
        {
            assert_eq!(text.parse(), Ok(Cents::new(cents)), "{text}");
        }
        assert_eq!(Cents::new(50697).to_string(), "506.97");
        assert_eq!(Cents::new(-5).to_string(), "-0.05");
    }

    #[test]
    fn every_amount_of_cents_reads_back_as_itself() {
        for cents in (0..100_000).chain([i64::MAX / 100 * 100]) {
            assert_eq!(Cents::new(cents).to_string().parse(), Ok(Cents::new(cents)));
        }
    }

    #[test]
    fn what_is_not_digits_with_at_most_two_decimals_is_refused() {
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1.00",
            "+1.00",
            "1.234",
            "1e3",
            "NaN",
            "1,000.00",
            " 1",
            "92233720368547759",
        ] {
            assert!(bad.parse::<Cents>().is_err(), "{bad:?}");
        }
    }
}
