//! What a column can hold, and how Rust types become columns. A value that does not fit its column is an
//! error here, never a truncation in the database.

use annals_event::{Sequence, Timestamp, Version};
use std::fmt;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// A signed 64-bit number.
    Integer,
    /// A 64-bit floating-point number.
    Real,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Blob,
}

impl ColumnKind {
    /// What it is called. It is part of schema hashes and cursors, so it stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
        }
    }
}

/// One cell of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// What it is a value of; `None`: it is `NULL`.
    pub const fn kind(&self) -> Option<ColumnKind> {
        match self {
            Self::Null => None,
            Self::Integer(_) => Some(ColumnKind::Integer),
            Self::Real(_) => Some(ColumnKind::Real),
            Self::Text(_) => Some(ColumnKind::Text),
            Self::Blob(_) => Some(ColumnKind::Blob),
        }
    }

    const fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Integer(_) => "an INTEGER",
            Self::Real(_) => "a REAL",
            Self::Text(_) => "a TEXT",
            Self::Blob(_) => "a BLOB",
        }
    }
}

/// How much of a text or of bytes an error shows.
const SHOWN_BYTES_MAX: usize = 100;

impl Value {
    /// As an SQL literal for an error: on one line, and of much only the beginning.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Text(text) => {
                let mut shown = String::new();
                for c in text.chars() {
                    if shown.len() >= SHOWN_BYTES_MAX {
                        return format!("'{shown}'...");
                    }
                    match c {
                        '\'' => shown.push_str("''"),
                        c if c.is_control() => shown.extend(c.escape_default()),
                        c => shown.push(c),
                    }
                }
                format!("'{shown}'")
            }
            Self::Blob(bytes) => match bytes.get(..SHOWN_BYTES_MAX / 2) {
                Some(shown) if shown.len() < bytes.len() => format!("{}...", Self::Blob(shown.to_vec())),
                _ => self.to_string(),
            },
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    /// As an SQL literal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => number.fmt(f),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
        }
    }
}

/// A value that is not one of its column, or does not fit into it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ValueError {
    reason: String,
}

impl ValueError {
    /// An error with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    fn mismatch(wanted: ColumnKind, found: &Value) -> Self {
        Self::new(format!("it holds {} where {} is expected", found.kind_name(), wanted.name()))
    }
}

/// A Rust type that can be a column of a table. `Option<T>` is a column that may be `NULL`.
///
/// A value comes back from its cell as the same value: a type that loses digits on the way gives rows that depend on when
/// they were last read.
pub trait ColumnType: Sized {
    /// What the column holds.
    const KIND: ColumnKind;
    /// Whether it may be `NULL`.
    const NULLABLE: bool = false;
    /// Whether the column can hold every value of the type: [`to_value`](Self::to_value) is never an error.
    const ALWAYS_FITS: bool = false;

    /// The cell for this value; an error when the column cannot hold it.
    fn to_value(&self) -> Result<Value, ValueError>;
    /// The value of this cell.
    fn from_value(value: Value) -> Result<Self, ValueError>;
}

/// A column type that may be part of a table's key: equal values are equal cells.
pub trait KeyColumn: ColumnType + Clone + Eq + std::hash::Hash + Send + Sync + 'static {}

macro_rules! integer_column {
    ($($type:ty),+) => {$(
        impl ColumnType for $type {
            const KIND: ColumnKind = ColumnKind::Integer;
            const ALWAYS_FITS: bool = <$type>::BITS < i64::BITS || <$type>::MIN != 0;

            fn to_value(&self) -> Result<Value, ValueError> {
                let too_large = |_| ValueError::new(format!("{self} does not fit a 64-bit INTEGER"));
                i64::try_from(*self).map(Value::Integer).map_err(too_large)
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                match value {
                    Value::Integer(number) => Self::try_from(number)
                        .map_err(|_| ValueError::new(format!("{number} is no {}", stringify!($type)))),
                    other => Err(ValueError::mismatch(Self::KIND, &other)),
                }
            }
        }
        impl KeyColumn for $type {}
    )+};
}

integer_column!(i64, i32, i16, u64, u32, u16, u8);

/// A type that is stored as another one.
macro_rules! column_through {
    ($type:ty, $inner:ty, $into:expr, $from:expr) => {
        impl ColumnType for $type {
            const KIND: ColumnKind = <$inner as ColumnType>::KIND;
            const ALWAYS_FITS: bool = <$inner as ColumnType>::ALWAYS_FITS;

            fn to_value(&self) -> Result<Value, ValueError> {
                let into: fn(&$type) -> $inner = $into;
                into(self).to_value()
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                let from: fn($inner) -> $type = $from;
                <$inner>::from_value(value).map(from)
            }
        }
        impl KeyColumn for $type {}
    };
}

column_through!(Sequence, u64, |place| place.get(), Sequence::new);
column_through!(Version, u64, |place| place.get(), Version::new);
column_through!(Timestamp, i64, |time| time.as_micros(), Timestamp::from_micros);

impl ColumnType for bool {
    const KIND: ColumnKind = ColumnKind::Integer;
    const ALWAYS_FITS: bool = true;

    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::Integer(i64::from(*self)))
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Integer(0) => Ok(false),
            Value::Integer(1) => Ok(true),
            Value::Integer(other) => Err(ValueError::new(format!("{other} is no bool"))),
            other => Err(ValueError::mismatch(Self::KIND, &other)),
        }
    }
}

impl KeyColumn for bool {}

impl ColumnType for f64 {
    const KIND: ColumnKind = ColumnKind::Real;

    fn to_value(&self) -> Result<Value, ValueError> {
        // A database keeps NaN as NULL, and NULL equals nothing: a row could never be compared again.
        if self.is_nan() { Err(ValueError::new("NaN is not a value")) } else { Ok(Value::Real(*self)) }
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Real(number) => Ok(number),
            other => Err(ValueError::mismatch(Self::KIND, &other)),
        }
    }
}

impl ColumnType for String {
    const KIND: ColumnKind = ColumnKind::Text;
    const ALWAYS_FITS: bool = true;

    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::Text(self.clone()))
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(ValueError::mismatch(Self::KIND, &other)),
        }
    }
}

impl KeyColumn for String {}

impl ColumnType for Vec<u8> {
    const KIND: ColumnKind = ColumnKind::Blob;
    const ALWAYS_FITS: bool = true;

    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::Blob(self.clone()))
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Blob(bytes) => Ok(bytes),
            other => Err(ValueError::mismatch(Self::KIND, &other)),
        }
    }
}

impl KeyColumn for Vec<u8> {}

impl<T: ColumnType> ColumnType for Option<T> {
    const KIND: ColumnKind = T::KIND;
    const NULLABLE: bool = true;
    const ALWAYS_FITS: bool = T::ALWAYS_FITS;

    fn to_value(&self) -> Result<Value, ValueError> {
        self.as_ref().map_or(Ok(Value::Null), T::to_value)
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: ColumnType + PartialEq + fmt::Debug>(value: T) {
        assert_eq!(T::from_value(value.to_value().unwrap()).unwrap(), value);
    }

    #[test]
    fn every_column_type_comes_back_as_it_was() {
        round_trip(-7_i64);
        round_trip(u64::try_from(i64::MAX).unwrap());
        round_trip(u32::MAX);
        round_trip(true);
        round_trip(f64::MIN_POSITIVE);
        round_trip(String::from("a\0b 'c'"));
        round_trip(vec![0_u8, 255]);
        round_trip(Some(Sequence::new(9)));
        round_trip(None::<String>);
        round_trip(Timestamp::from_micros(-1));
    }

    #[test]
    fn in_an_error_a_long_value_is_cut_and_stays_on_one_line() {
        assert_eq!(Value::Text("o'k\n".into()).brief(), r"'o''k\n'");
        assert_eq!(Value::Text("ä".repeat(1_000)).brief(), format!("'{}'...", "ä".repeat(50)));
        assert_eq!(Value::Blob(vec![255; 1_000]).brief(), format!("x'{}'...", "ff".repeat(50)));
        assert_eq!(Value::Blob(vec![255; 50]).brief(), format!("x'{}'", "ff".repeat(50)));
        assert_eq!(Value::Null.brief(), "NULL");
    }

    #[test]
    fn only_types_whose_values_all_fit_say_so() {
        fn says<T: ColumnType>() -> bool {
            T::ALWAYS_FITS
        }
        assert!(
            [says::<i64>(), says::<u32>(), says::<i16>(), says::<u8>(), says::<bool>()]
                .iter()
                .all(|fits| *fits)
        );
        assert!(
            [says::<String>(), says::<Vec<u8>>(), says::<Timestamp>(), says::<Option<i32>>()]
                .iter()
                .all(|fits| *fits)
        );
        assert!(
            ![says::<u64>(), says::<f64>(), says::<Sequence>(), says::<Option<f64>>()]
                .iter()
                .any(|fits| *fits)
        );
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error_and_never_cut() {
        assert!(u64::MAX.to_value().is_err());
        assert!(f64::NAN.to_value().is_err());
        assert!(u32::from_value(Value::Integer(-1)).is_err());
        assert!(String::from_value(Value::Null).is_err());
        assert!(bool::from_value(Value::Integer(2)).is_err());
    }
}
