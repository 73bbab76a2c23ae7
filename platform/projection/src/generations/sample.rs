//! Rows and reasons as a replay's event keeps them. Long texts are cut, so that the event fits into the log whatever the rows hold.

use crate::Value;
use serde::{Deserialize, Serialize};

/// How many characters of a row's key, of one side of it, or of a reason are kept.
const CHARS_MAX: usize = 400;

/// One row that differs. Long values are cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSample {
    /// Its table.
    pub table: String,
    /// Its key, as `column=value`.
    pub key: String,
    /// The live row as `column=value`; of a changed row only the columns that differ. `None`: there is no live row.
    pub live: Option<String>,
    /// The same of the candidate's row. `None`: the candidate has no such row.
    pub candidate: Option<String>,
}

/// `column=value` of each cell, the values as SQL literals.
pub(super) fn cells<'a>(cells: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    cut(cells.map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(", "))
}

/// The text, or as much of it as is kept.
pub(super) fn cut(text: String) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => text.get(..end).map_or(text.clone(), |kept| format!("{kept}…")),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let long = Value::Text("é".repeat(CHARS_MAX * 2));
        let text = cells([("name", &long)].into_iter());
        assert_eq!(text.chars().count(), CHARS_MAX + 1);
        assert!(text.starts_with("name='é") && text.ends_with("é…"));
        assert_eq!(cells([("a", &Value::Integer(1)), ("b", &Value::Null)].into_iter()), "a=1, b=NULL");
    }
}
