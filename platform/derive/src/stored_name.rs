//! Names that are stored, checked where they are written.

use syn::{Error, LitStr, Result};

/// The same as `annals_event::limits::EVENT_TYPE_BYTES_MAX`.
const EVENT_TYPE_BYTES_MAX: usize = 128;
/// PostgreSQL's limit for identifiers.
const IDENTIFIER_BYTES_MAX: usize = 63;
/// Names with this prefix are the platform's own.
const RESERVED_PREFIX: &str = "annals_";

pub(crate) fn check_event_type(name: &LitStr) -> Result<()> {
    let text = name.value();
    let wrong = if text.is_empty() {
        "an event type needs a name, e.g. \"order.placed\"".to_owned()
    } else if text.len() > EVENT_TYPE_BYTES_MAX {
        format!("the event type has {} bytes; at most {EVENT_TYPE_BYTES_MAX} are allowed", text.len())
    } else if text.chars().any(char::is_control) {
        "the event type has a control character; remove it".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(name.span(), wrong))
}

pub(crate) fn check_identifier(what: &str, name: &LitStr) -> Result<()> {
    let text = name.value();
    let mut characters = text.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let goes_on = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let wrong = if !(begins && goes_on) {
        format!("{what} {text:?} must consist of a-z, 0-9 and _, and not begin with a digit")
    } else if text.len() > IDENTIFIER_BYTES_MAX {
        format!("{what} {text:?} has {} bytes; at most {IDENTIFIER_BYTES_MAX} are allowed", text.len())
    } else if text.starts_with(RESERVED_PREFIX) {
        format!("{what} {text:?} begins with {RESERVED_PREFIX:?}, which is the platform's own")
    } else {
        return Ok(());
    };
    Err(Error::new(name.span(), wrong))
}
