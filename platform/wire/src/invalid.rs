use annals_event::{DecodeError, InvalidName};

/// A message that does not say what it must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// A field that must be set is not.
    #[error("field `{field}` is not set")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Bytes that must have a certain length have another.
    #[error("field `{field}` has {bytes} bytes; it must have {bytes_wanted}")]
    WrongLength {
        /// The field.
        field: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it must be.
        bytes_wanted: usize,
    },
    /// An invalid name.
    #[error("field `{field}`: {cause}")]
    Name {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        cause: InvalidName,
    },
    /// A number that has no meaning there.
    #[error("field `{field}` cannot be {value}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// A list that is too long.
    #[error("field `{field}` has {count} elements; at most {max} are allowed")]
    TooMany {
        /// The field.
        field: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// An event that does not fit a record.
    #[error("field `{field}`: {cause}")]
    Record {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        cause: DecodeError,
    },
}

/// A field that must be set.
pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, InvalidMessage> {
    value.ok_or(InvalidMessage::Missing { field })
}

/// Bytes that must have exactly this length.
pub(crate) fn exactly<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], InvalidMessage> {
    let wrong = |_| InvalidMessage::WrongLength { field, bytes: bytes.len(), bytes_wanted: N };
    bytes.try_into().map_err(wrong)
}

/// Says which field the name stood in.
pub(crate) fn named<T>(field: &'static str, name: Result<T, InvalidName>) -> Result<T, InvalidMessage> {
    name.map_err(|cause| InvalidMessage::Name { field, cause })
}
