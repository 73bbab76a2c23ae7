//! What serde says of a value that is not wanted, in the words of who sent it: no type of the program is named.

use std::borrow::Cow;

/// Longest value that is told, in characters.
const FOUND_CHARS_MAX: usize = 80;

/// Where the value stands: in the body, the query, the path.
pub(crate) struct Place<'a> {
    /// `the body`.
    pub(crate) whole: &'a str,
    /// The path of the field in it; `.` is the whole.
    pub(crate) path: &'a str,
}

/// One sentence: which field, what it must be, what was found.
pub(crate) fn refusal(Place { whole, path }: Place<'_>, serde_says: &str) -> String {
    let must = must_be(serde_says);
    match (around(path, serde_says), must) {
        ("." | "?", Some(must)) => format!("{whole} {must}"),
        ("." | "?", None) => format!("in {whole}: {serde_says}"),
        (path, Some(must)) => format!("in {whole}: `{path}` {must}"),
        (path, None) => format!("in {whole}: `{path}`: {serde_says}"),
    }
}

/// What the sentence is about: serde names a field that should not be there itself.
fn around<'a>(path: &'a str, serde_says: &str) -> &'a str {
    let kinds = ["unknown field `", "duplicate field `"];
    let named = kinds.iter().find_map(|kind| serde_says.strip_prefix(kind)?.split('`').next());
    match named.and_then(|name| path.strip_suffix(name)) {
        Some("") => ".",
        Some(around) => around.trim_end_matches('.'),
        None => path,
    }
}

/// `must be ..., found ...`; `None`: serde names no type in it.
fn must_be(serde_says: &str) -> Option<String> {
    let kinds = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    let told = kinds.iter().find_map(|kind| serde_says.strip_prefix(kind))?;
    // What was found may hold the same words; what is expected is the program's.
    let (found, expected) = told.rsplit_once(", expected ")?;
    Some(format!("must be {}, found {}", in_json(expected), shortened(&value(found))))
}

/// A type as JSON has it.
fn in_json(expected: &str) -> Cow<'_, str> {
    if let Some(range) = whole_number(expected) {
        return range.into();
    }
    let first = expected.split(' ').next().unwrap_or_default();
    match expected {
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "unit" => "null".into(),
        "a map" => "an object".into(),
        "a borrowed string" | "a character" => "a string".into(),
        "a sequence" => "an array".into(),
        _ if expected.starts_with("a tuple") => expected.replacen("a tuple", "an array", 1).into(),
        _ if first == "struct" => "an object".into(),
        _ if first == "tuple" => "an array".into(),
        _ if expected.starts_with('`') => format!("one of {}", expected.replace(" or ", ", ")).into(),
        other => other.into(),
    }
}

fn whole_number(name: &str) -> Option<String> {
    macro_rules! ranges {
        ($($int:ident)*) => {
            match name {
                $(stringify!($int) => Some(format!("a whole number from {} to {}", $int::MIN, $int::MAX)),)*
                _ => None,
            }
        };
    }
    ranges!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize)
}

/// A value as JSON has it.
fn value(found: &str) -> Cow<'_, str> {
    for kind in ["string ", "integer ", "floating point ", "boolean ", "character "] {
        if let Some(value) = found.strip_prefix(kind) {
            return value.trim_matches('`').into();
        }
    }
    match found {
        "sequence" => "an array".into(),
        "map" => "an object".into(),
        "unit value" | "Option value" => "null".into(),
        other => other.into(),
    }
}

fn shortened(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(FOUND_CHARS_MAX) {
        Some((end, _)) => format!("{}...", value.get(..end).unwrap_or_default()).into(),
        None => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(serde_says: &str) -> String {
        refusal(Place { whole: "the body", path: "a" }, serde_says)
    }

    #[test]
    fn what_was_found_may_hold_the_words_that_are_looked_for() {
        let found = said(r#"invalid type: string "x, expected u64", expected struct Order"#);
        assert_eq!(found, r#"in the body: `a` must be an object, found "x, expected u64""#);
    }

    #[test]
    fn a_long_value_is_cut_off() {
        let found = said(&format!("invalid type: string {:?}, expected a boolean", "é".repeat(1_000)));
        assert!(found.ends_with("é...") && found.chars().count() < 200, "{found}");
    }

    #[test]
    fn a_sentence_of_a_type_itself_stays() {
        assert_eq!(said("\"x\" is no day"), "in the body: `a`: \"x\" is no day");
        assert_eq!(said("missing field `b`"), "in the body: `a`: missing field `b`");
    }
}
