//! Names of streams, categories, event types and marks, and tags. Validated once, when they are made.

use crate::limits;
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// Why a text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The text is empty.
    #[error("{what} is empty; give it at least one character")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// The text is too long.
    #[error("{what} has {bytes} bytes; at most {bytes_max} are allowed")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// How long the text is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// The text has a control character.
    #[error("{what} has the control character {character:?} at byte {at}; remove it")]
    ControlCharacter {
        /// What was to be named.
        what: &'static str,
        /// The character.
        character: char,
        /// Its place.
        at: usize,
    },
    /// A category that no stream can belong to.
    #[error(
        "category {category:?} has a `-`, but a stream's category ends at the first `-` of its name, so no stream would \
         be in it; write it another way, e.g. with `_`"
    )]
    DashInCategory {
        /// The text.
        category: String,
    },
    /// A tag without a colon.
    #[error("tag {tag:?} is not of the form key:value")]
    NotKeyValue {
        /// The text.
        tag: String,
    },
}

fn check(what: &'static str, text: &str, bytes_max: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty { what });
    }
    if text.len() > bytes_max {
        return Err(InvalidName::TooLong { what, bytes: text.len(), bytes_max });
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, character)) => Err(InvalidName::ControlCharacter { what, character, at }),
        None => Ok(()),
    }
}

/// Most names have no further rule.
fn any(_: &str) -> Result<(), InvalidName> {
    Ok(())
}

fn without_dash(text: &str) -> Result<(), InvalidName> {
    match text.contains('-') {
        true => Err(InvalidName::DashInCategory { category: text.to_owned() }),
        false => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes it a name.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidName> {
                let text = text.as_ref();
                check($what, text, $max)?;
                $check(text)?;
                Ok(Self(text.into()))
            }
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// Whether the name is the platform's own: it begins with `$`.
            pub fn is_reserved(&self) -> bool {
                self.0.starts_with('$')
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }
    };
}

name! {
    /// The name of a stream: `category-id`, e.g. `order-1001`. 1 to 255 bytes, no control characters.
    StreamName, "stream name", limits::STREAM_NAME_BYTES_MAX, any
}
name! {
    /// A stream's kind: its name up to the first `-`, or all of it. 1 to 255 bytes, no control characters, no `-`.
    Category, "category", limits::STREAM_NAME_BYTES_MAX, without_dash
}
name! {
    /// The type of an event, e.g. `order.placed`. 1 to 128 bytes, no control characters.
    EventType, "event type", limits::EVENT_TYPE_BYTES_MAX, any
}
name! {
    /// The name of a mark, e.g. `reactor/payments`. 1 to 255 bytes, no control characters.
    MarkName, "mark name", limits::MARK_NAME_BYTES_MAX, any
}

impl StreamName {
    /// The stream of one entity: `category-id`, where the id is not empty. The category must be valid: `gift-card`
    /// with id 1 would be in category `gift`, and the same stream as `gift` with id `card-1`.
    pub fn of(category: &str, id: &str) -> Result<Self, InvalidName> {
        Category::new(category)?;
        if id.is_empty() {
            return Err(InvalidName::Empty { what: "id" });
        }
        Self::new(format!("{category}-{id}"))
    }
    /// The category as text: the name up to the first `-`.
    pub fn category(&self) -> &str {
        category_of(&self.0)
    }
    /// What follows the category and its `-`; empty when there is no `-`.
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }
}

/// The category of the stream that is named `stream`.
pub(crate) fn category_of(stream: &str) -> &str {
    stream.split_once('-').map_or(stream, |(category, _)| category)
}

/// A free `key:value` word on an event.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Checks `text` and makes it a tag. 3 to 255 bytes, `key:value`, no control characters.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidName> {
        let text = text.as_ref();
        check("tag", text, limits::TAG_BYTES_MAX)?;
        match text.split_once(':') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok(Self(text.into())),
            _ => Err(InvalidName::NotKeyValue { tag: text.to_owned() }),
        }
    }
    /// The tag as `key:value`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_is_split_at_the_first_dash() {
        let name = StreamName::of("order", "10-01").unwrap();
        assert_eq!((name.category(), name.id()), ("order", "10-01"));
        let name = StreamName::new("settings").unwrap();
        assert_eq!((name.category(), name.id()), ("settings", ""));
    }

    #[test]
    fn a_stream_of_an_entity_has_a_category_and_an_id() {
        assert_eq!(StreamName::of("order", ""), Err(InvalidName::Empty { what: "id" }));
        assert_eq!(StreamName::of("", "1"), Err(InvalidName::Empty { what: "category" }));
    }

    #[test]
    fn a_category_with_a_dash_is_refused_since_no_stream_can_be_of_it() {
        let dash = InvalidName::DashInCategory { category: "gift-card".to_owned() };
        assert_eq!(Category::new("gift-card"), Err(dash.clone()));
        assert_eq!(StreamName::of("gift-card", "1"), Err(dash));
        assert!(Category::new("gift_card").is_ok() && StreamName::new("gift-card-1").is_ok());
    }

    #[test]
    fn names_outside_the_limits_are_refused_with_what_to_change() {
        assert_eq!(
            StreamName::new("").unwrap_err().to_string(),
            "stream name is empty; give it at least one character"
        );
        assert!(StreamName::new("x".repeat(255)).is_ok());
        assert!(matches!(StreamName::new("x".repeat(256)), Err(InvalidName::TooLong { bytes: 256, .. })));
        assert!(EventType::new("é".repeat(64)).is_ok());
        assert!(EventType::new("é".repeat(65)).is_err());
        assert!(matches!(StreamName::new("a\nb"), Err(InvalidName::ControlCharacter { at: 1, .. })));
        assert!(Tag::new("customer:7").is_ok());
        for bad in ["customer", ":7", "customer:"] {
            assert!(matches!(Tag::new(bad), Err(InvalidName::NotKeyValue { .. })));
        }
        assert!(StreamName::new("$replay-1").unwrap().is_reserved());
    }
}
