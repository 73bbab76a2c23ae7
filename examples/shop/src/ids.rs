//! Ids of orders and customers: plain ASCII words, so that they stand in a URL and in a stream's name as they are. None
//! begins with a dot: clients take `.` and `..` out of a URL.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How long an id may be.
pub const ID_BYTES_MAX: usize = 64;

/// A text that is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}; use 1 to {ID_BYTES_MAX} letters, digits, '-', '_' or '.', the first no '.'")]
pub struct InvalidId {
    what: &'static str,
    text: String,
}

fn check(what: &'static str, text: String) -> Result<String, InvalidId> {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(legal) && !text.starts_with('.') {
        return Ok(text);
    }
    let text = text.chars().take(ID_BYTES_MAX).collect();
    Err(InvalidId { what, text })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                check($what, text).map(Self)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// Identifies an order in all three services.
    OrderId, "an order id"
}
id! {
    /// Identifies a customer.
    CustomerId, "a customer id"
}

impl From<uuid::Uuid> for OrderId {
    fn from(uuid: uuid::Uuid) -> Self {
        Self(uuid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_plain_word_within_its_length() {
        assert!("0001".parse::<CustomerId>().is_ok());
        assert!("x".repeat(64).parse::<OrderId>().is_ok());
        assert_eq!(OrderId::from(uuid::Uuid::nil()).as_str().len(), 36);
        for bad in ["", ".", "..", "a b", "../x", "a/b", "é", "<script>", "'; drop table", &"x".repeat(65)] {
            let error = bad.parse::<OrderId>().unwrap_err().to_string();
            assert!(error.contains("is not an order id"), "{error}");
        }
    }
}
