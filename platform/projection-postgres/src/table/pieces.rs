use annals_projection::Value;
use std::ops::Range;

/// How many rows a statement writes or reads by their keys.
const ROWS_MAX: usize = 10_000;
/// About how many bytes a statement carries. A row that is larger has one of its own.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a cell without bytes of its own takes.
const CELL_BYTES: usize = 8;

/// The rows of these columns in pieces that one statement can carry.
pub(crate) fn pieces(columns: &[Vec<Value>]) -> Vec<Range<usize>> {
    let rows = columns.first().map_or(0, Vec::len);
    let (mut found, mut start, mut bytes) = (Vec::new(), 0, 0);
    for row in 0..rows {
        let size: usize = columns.iter().filter_map(|cells| cells.get(row)).map(size).sum();
        if row > start && (row - start >= ROWS_MAX || bytes + size > BYTES_MAX) {
            found.push(start..row);
            (start, bytes) = (row, 0);
        }
        bytes += size;
    }
    if rows > start {
        found.push(start..rows);
    }
    found
}

fn size(cell: &Value) -> usize {
    match cell {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => CELL_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_is_too_large_and_no_row_is_left_out() {
        let numbers = vec![vec![Value::Integer(1); 25_000]];
        assert_eq!(pieces(&numbers), [0..10_000, 10_000..20_000, 20_000..25_000]);
        let large = Value::Blob(vec![0; BYTES_MAX - 1]);
        let small = Value::Blob(vec![0; 1]);
        let cells = vec![large.clone(), small.clone(), small.clone(), large, small];
        assert_eq!(pieces(&[cells]), [0..2, 2..4, 4..5]);
        assert!(pieces(&[Vec::new()]).is_empty() && pieces(&[]).is_empty());
    }
}
