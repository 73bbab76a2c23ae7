//! Rows in the binary form of `COPY`.

use super::kinds::{SEQUENCE, misfit, storable};
use annals_projection::{
    Column, ColumnKind, TableSchema, Value,
    backend::{Batch, DatabaseError},
};

/// What the data begins with: the signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with: where the number of a row's fields would stand.
const END: &[u8] = &[0xff, 0xff];
/// The length of a field that is `NULL`.
const NULL: &[u8] = &[0xff; 4];
/// About how many bytes a message has.
const PIECE_BYTES: usize = 256 * 1024;

/// The rows, in pieces to be sent one after the other.
pub(crate) fn encode(table: &TableSchema, rows: Batch) -> Result<Vec<Vec<u8>>, DatabaseError> {
    let columns: Vec<_> = table.columns.iter().chain([&SEQUENCE]).collect();
    let fields = u16::try_from(columns.len()).map_err(DatabaseError::denied)?.to_be_bytes();
    let (mut pieces, mut piece) = (Vec::new(), HEADER.to_vec());
    for row in rows.into_rows() {
        piece.extend(fields);
        for (column, cell) in columns.iter().zip(row) {
            field(&mut piece, column, &cell)?;
        }
        if piece.len() >= PIECE_BYTES {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    piece.extend(END);
    pieces.push(piece);
    Ok(pieces)
}

fn field(piece: &mut Vec<u8>, column: &Column, cell: &Value) -> Result<(), DatabaseError> {
    match (column.kind, cell) {
        (_, Value::Null) => piece.extend(NULL),
        (ColumnKind::Integer, Value::Integer(number)) => sized(piece, &number.to_be_bytes())?,
        (ColumnKind::Real, Value::Real(number)) => sized(piece, &number.to_be_bytes())?,
        (ColumnKind::Text, Value::Text(text)) => sized(piece, storable(column.name, text)?.as_bytes())?,
        (ColumnKind::Blob, Value::Blob(bytes)) => sized(piece, bytes)?,
        (_, other) => return Err(misfit(column, other)),
    }
    Ok(())
}

fn sized(piece: &mut Vec<u8>, bytes: &[u8]) -> Result<(), DatabaseError> {
    let too_large = |_| DatabaseError::Data { reason: "a cell has more than 2 GiB".to_owned() };
    piece.extend(i32::try_from(bytes.len()).map_err(too_large)?.to_be_bytes());
    piece.extend(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: TableSchema = TableSchema {
        name: "t",
        columns: &[Column { name: "id", kind: ColumnKind::Text, nullable: true, key: true }],
        indexes: &[],
    };

    #[test]
    fn rows_have_the_form_that_the_manual_describes() {
        let rows = Batch::of(
            2,
            vec![vec![Value::Text("a".into()), Value::Integer(2)], vec![Value::Null, Value::Integer(-1)]],
        );
        let mut due = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        due.extend(b"\0\x02\0\0\0\x01a\0\0\0\x08\0\0\0\0\0\0\0\x02");
        due.extend(b"\0\x02\xff\xff\xff\xff\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff");
        due.extend(b"\xff\xff");
        assert_eq!(encode(&TABLE, rows).unwrap().concat(), due);
    }

    #[test]
    fn what_a_column_cannot_hold_is_the_events_fault() {
        for cell in [Value::Integer(1), Value::Text("a\0".into())] {
            let refused = encode(&TABLE, Batch::of(2, vec![vec![cell, Value::Integer(1)]]));
            assert!(matches!(refused, Err(DatabaseError::Data { .. })), "{refused:?}");
        }
    }
}
