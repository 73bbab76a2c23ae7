//! `numeric`, in PostgreSQL's binary form: digits to the base 10,000.

/// How many decimal digits one digit has.
const DECIMALS: usize = 4;
/// The sign of a number below zero.
const NEGATIVE: u16 = 0x4000;
/// More decimal places than the type allows: the bytes are damaged.
const PLACES_MAX: usize = 200_000;

/// A number.
pub(super) struct Numeric {
    negative: bool,
    /// The digits before the point; empty: 0.
    whole: String,
    /// The digits after it, without zeros at the end.
    fraction: String,
}

impl Numeric {
    /// The number of these bytes; `None`: it is not finite, or it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut words =
            bytes.chunks_exact(2).filter_map(|word| Some(u16::from_be_bytes(word.try_into().ok()?)));
        let (count, weight, sign, _scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let weight = i16::from_be_bytes(weight.to_be_bytes());
        if sign != 0 && sign != NEGATIVE {
            return None;
        }
        let digits: Vec<u16> = words.collect();
        if digits.len() != usize::from(count) {
            return None;
        }
        // How many digits stand before the point; below zero: so many zeros stand right after it.
        let before = i32::from(weight) + 1;
        let leading = usize::try_from(-before).unwrap_or(0);
        let before = usize::try_from(before).unwrap_or(0);
        if before.max(leading) * DECIMALS > PLACES_MAX {
            return None;
        }
        let text = |digits: &mut dyn Iterator<Item = u16>| {
            digits.map(|digit| format!("{digit:04}")).collect::<String>()
        };
        let zeros = std::iter::repeat(0);
        let whole = text(&mut digits.iter().copied().chain(zeros.clone()).take(before));
        let fraction = text(&mut zeros.take(leading).chain(digits.into_iter().skip(before)));
        Some(Self {
            negative: sign == NEGATIVE,
            whole: whole.trim_start_matches('0').to_owned(),
            fraction: fraction.trim_end_matches('0').to_owned(),
        })
    }

    /// The whole number that it is; `None`: it is none, or too large.
    pub(super) fn integer(&self) -> Option<i64> {
        if !self.fraction.is_empty() {
            return None;
        }
        format!("{}{}", self.sign(), self.whole()).parse().ok()
    }

    /// The floating-point number that is nearest.
    pub(super) fn real(&self) -> Option<f64> {
        format!("{}{}.{}0", self.sign(), self.whole(), self.fraction).parse().ok()
    }

    const fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    fn whole(&self) -> &str {
        if self.whole.is_empty() { "0" } else { &self.whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(weight: i16, sign: u16, digits: &[u16]) -> Option<Numeric> {
        let count = u16::try_from(digits.len()).unwrap();
        let words = [count, u16::from_be_bytes(weight.to_be_bytes()), sign, 0]
            .into_iter()
            .chain(digits.iter().copied());
        Numeric::read(&words.flat_map(u16::to_be_bytes).collect::<Vec<_>>())
    }

    #[test]
    fn numbers_are_read_from_their_digits() {
        let integer = |weight, sign, digits: &[u16]| number(weight, sign, digits).unwrap().integer();
        let real = |weight, sign, digits: &[u16]| number(weight, sign, digits).unwrap().real();
        assert_eq!(integer(0, 0, &[]), Some(0));
        assert_eq!(integer(1, NEGATIVE, &[1, 2]), Some(-10_002));
        assert_eq!(integer(2, 0, &[7]), Some(700_000_000));
        assert_eq!(integer(4, NEGATIVE, &[922, 3372, 368, 5477, 5808]), Some(i64::MIN));
        assert_eq!(integer(4, 0, &[922, 3372, 368, 5477, 5808]), None);
        assert_eq!((integer(0, 0, &[1, 5000]), real(0, 0, &[1, 5000])), (None, Some(1.5)));
        assert_eq!(real(-2, NEGATIVE, &[1]), Some(-0.000_000_01));
        assert!(number(0, 0xC000, &[]).is_none(), "not a number");
        assert!(Numeric::read(&[0, 1]).is_none());
    }
}
