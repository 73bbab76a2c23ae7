//! Names that become part of SQL or of a path. Nothing else from outside ever does.

use std::fmt;

/// Longest name of a table or a column, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 63;
/// Longest name of a read model, in bytes. Encoded for a path it is at most three times as long, and file
/// systems allow 255.
const MODEL_NAME_BYTES_MAX: usize = 80;

/// A name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {name:?} cannot be used: {reason}")]
pub struct InvalidIdentifier {
    what: &'static str,
    name: String,
    reason: String,
}

/// Checks that `name` is a plain SQL identifier that is not the platform's or the database's own.
pub(crate) fn check_identifier(what: &'static str, name: &str) -> Result<(), InvalidIdentifier> {
    let refuse =
        |reason: &str| Err(InvalidIdentifier { what, name: name.to_owned(), reason: reason.to_owned() });
    let lower = name.to_ascii_lowercase();
    let mut bytes = lower.bytes();
    if !bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_lowercase())
        || !bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    {
        return refuse("use letters, digits and `_`, and begin with a letter");
    }
    if name.len() > IDENTIFIER_BYTES_MAX {
        return refuse("it is longer than 63 bytes");
    }
    if lower.starts_with("annals_") || lower.starts_with("sqlite_") || lower.starts_with("pg_") {
        return refuse("names that begin with `annals_`, `sqlite_` or `pg_` are reserved");
    }
    Ok(())
}

/// `name` between the quotes that make it an identifier, whatever it is.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quoted names, with commas between them.
pub(crate) fn joined(names: &[&str]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// So many parameters from `$first` on, with commas between them.
pub(crate) fn parameters(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// The name of a read model: any text without control characters, 1 to 80 bytes. It is data: in a path it is
/// encoded, in SQL it is bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelName(String);

impl ModelName {
    /// Checks `name` and makes it one.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidIdentifier> {
        let name = name.into();
        let reason = match name.len() {
            0 => Some("it is empty"),
            bytes if bytes > MODEL_NAME_BYTES_MAX => Some("it is longer than 80 bytes"),
            _ if name.chars().any(char::is_control) => Some("it has a control character"),
            _ => None,
        };
        match reason {
            Some(reason) => {
                Err(InvalidIdentifier { what: "read model name", name, reason: reason.to_owned() })
            }
            None => Ok(Self(name)),
        }
    }
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The name as a folder's name: what is not `a-z`, `0-9`, `_` or `-` becomes `%` and two digits, so that no
    /// name leaves its folder and no two names share one.
    pub fn as_folder(&self) -> String {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let encode = |byte: u8| {
            if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }
        };
        self.0.bytes().map(encode).collect()
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_never_becomes_sql_or_leaves_its_folder() {
        for bad in ["", "a b", "a;drop", "1a", "annals_control", "SQLITE_x", "a\"b", &"x".repeat(64), "tägs"]
        {
            assert!(check_identifier("table", bad).is_err(), "{bad}");
        }
        assert!(check_identifier("table", "customer_value2").is_ok());
        let folder = |name: &str| ModelName::new(name).unwrap().as_folder();
        assert_eq!(folder("../etc"), "%2e%2e%2fetc");
        assert_eq!(folder("Orders"), "%4frders");
        assert_eq!(folder(&"é".repeat(40)).len(), 240);
        assert!(ModelName::new("a\0b").is_err());
    }
}
