//! What the generations say, in the words of a replay. An event must fit into the log whatever the rows are, so
//! samples are few and their values are cut.

use crate::{Difference, PassedOver, PlannedSnapshot, RowSample};
use annals_projection::{
    Comparison, Completeness, Refusal, RowDifference, SnapshotManifest, TableComparison, Value,
};

/// How many characters of a row's key or of one side of it are kept.
const CELLS_CHARS_MAX: usize = 400;

pub(super) fn planned(manifest: SnapshotManifest) -> PlannedSnapshot {
    PlannedSnapshot { sequence: manifest.checkpoint().get(), name: manifest.name }
}

pub(super) fn passed_over(refusal: Refusal) -> PassedOver {
    PassedOver { name: refusal.name.to_string(), reason: cut(refusal.reason) }
}

pub(super) fn difference(comparison: &Comparison, counted: &Completeness) -> Difference {
    let sum = |of: fn(&TableComparison) -> u64| comparison.tables.iter().map(of).sum();
    let samples =
        comparison.tables.iter().flat_map(|table| table.samples.iter().map(|row| sample(&table.table, row)));
    Difference {
        sequence: comparison.at.get(),
        added: sum(|table| table.added),
        removed: sum(|table| table.removed),
        changed: sum(|table| table.changed),
        same: sum(|table| table.same),
        complete_events: counted.found.count,
        log_events: Some(counted.expected.count),
        samples: samples.take(Difference::SAMPLES_MAX).collect(),
    }
}

fn sample(table: &str, row: &RowDifference) -> RowSample {
    RowSample {
        table: table.to_owned(),
        key: cells(&row.key),
        live: row.live.as_deref().map(cells),
        candidate: row.candidate.as_deref().map(cells),
    }
}

/// `column=value` of each cell, the values as SQL literals.
fn cells(cells: &[(String, Value)]) -> String {
    cut(cells.iter().map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(", "))
}

fn cut(text: String) -> String {
    match text.char_indices().nth(CELLS_CHARS_MAX) {
        Some((end, _)) => text.get(..end).map_or(text.clone(), |kept| format!("{kept}…")),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let long = Value::Text("é".repeat(CELLS_CHARS_MAX * 2));
        let text = cells(&[("name".to_owned(), long)]);
        assert_eq!(text.chars().count(), CELLS_CHARS_MAX + 1);
        assert!(text.starts_with("name='é") && text.ends_with("é…"));
        assert_eq!(
            cells(&[("a".to_owned(), Value::Integer(1)), ("b".to_owned(), Value::Null)]),
            "a=1, b=NULL"
        );
    }
}
