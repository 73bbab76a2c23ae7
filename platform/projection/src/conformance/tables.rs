//! The tables that the cases write, and what they write into them.

use crate::{
    Column, ColumnKind, SchemaHash, TableSchema, Value,
    backend::{Schema, SchemaTable},
};
use std::cmp::Ordering;

/// A row's cells.
pub(super) type Row = Vec<Value>;

/// How long a long text and long bytes are.
const LONG_BYTES: usize = 100 << 10;

const fn column(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind, nullable: false, key: false }
}

const fn key(name: &'static str, kind: ColumnKind) -> Column {
    Column { key: true, ..column(name, kind) }
}

const fn optional(name: &'static str, kind: ColumnKind) -> Column {
    Column { nullable: true, ..column(name, kind) }
}

const fn table(name: &'static str, columns: &'static [Column]) -> TableSchema {
    TableSchema { name, columns, indexes: &[] }
}

/// What most cases write.
pub(super) const ITEM: TableSchema = TableSchema {
    name: "item",
    columns: &[
        key("id", ColumnKind::Integer),
        column("amount", ColumnKind::Integer),
        optional("note", ColumnKind::Text),
    ],
    indexes: &["amount", "note"],
};

/// Its key has two columns, which are neither its first ones nor beside each other.
pub(super) const PAIR: TableSchema = table(
    "pair",
    &[
        column("amount", ColumnKind::Integer),
        key("part", ColumnKind::Text),
        optional("note", ColumnKind::Text),
        key("place", ColumnKind::Integer),
    ],
);

/// Each of its names is a word of SQL.
pub(super) const WORDS: TableSchema = TableSchema {
    name: "order",
    columns: &[key("select", ColumnKind::Text), column("group", ColumnKind::Integer)],
    indexes: &["group"],
};

/// Has the name of [`ITEM`], and other columns.
const OTHER_ITEM: TableSchema =
    table("item", &[key("id", ColumnKind::Text), optional("amount", ColumnKind::Blob)]);

/// A table with a column of this kind.
pub(super) const fn holding(kind: ColumnKind) -> TableSchema {
    const ID: Column = key("id", ColumnKind::Integer);
    const INTEGER: &[Column] = &[ID, optional("cell", ColumnKind::Integer)];
    const REAL: &[Column] = &[ID, optional("cell", ColumnKind::Real)];
    const TEXT: &[Column] = &[ID, optional("cell", ColumnKind::Text)];
    const BLOB: &[Column] = &[ID, optional("cell", ColumnKind::Blob)];
    match kind {
        ColumnKind::Integer => table("holds_integer", INTEGER),
        ColumnKind::Real => table("holds_real", REAL),
        ColumnKind::Text => table("holds_text", TEXT),
        ColumnKind::Blob => table("holds_blob", BLOB),
    }
}

/// A table whose key is of this kind; `None`: no key is.
pub(super) const fn keyed_by(kind: ColumnKind) -> Option<TableSchema> {
    const PLACE: Column = column("place", ColumnKind::Integer);
    const INTEGER: &[Column] = &[key("cell", ColumnKind::Integer), PLACE];
    const TEXT: &[Column] = &[key("cell", ColumnKind::Text), PLACE];
    const BLOB: &[Column] = &[key("cell", ColumnKind::Blob), PLACE];
    match kind {
        ColumnKind::Integer => Some(table("by_integer", INTEGER)),
        ColumnKind::Real => None,
        ColumnKind::Text => Some(table("by_text", TEXT)),
        ColumnKind::Blob => Some(table("by_blob", BLOB)),
    }
}

/// Every kind of column. A new one does not compile until it has its place here.
pub(super) fn kinds() -> impl Iterator<Item = ColumnKind> {
    std::iter::successors(Some(ColumnKind::Integer), |kind| match kind {
        ColumnKind::Integer => Some(ColumnKind::Real),
        ColumnKind::Real => Some(ColumnKind::Text),
        ColumnKind::Text => Some(ColumnKind::Blob),
        ColumnKind::Blob => None,
    })
}

/// All tables.
pub(super) fn schema() -> Schema {
    of([ITEM, PAIR, WORDS].into_iter().chain(kinds().map(holding)).chain(kinds().filter_map(keyed_by)))
}

/// Another schema, with another `item`.
pub(super) fn other_schema() -> Schema {
    of([OTHER_ITEM])
}

/// The table `item` of [`other_schema`].
pub(super) const fn other_item() -> TableSchema {
    OTHER_ITEM
}

fn of(tables: impl IntoIterator<Item = TableSchema>) -> Schema {
    let mut tables: Vec<_> = tables.into_iter().map(|schema| SchemaTable { schema, also: "" }).collect();
    tables.sort_by_key(|table| table.schema.name);
    Schema::new(tables)
}

/// What [`schema`] is called.
pub(super) fn schema_hash() -> SchemaHash {
    SchemaHash::from_text("0123456789abcdef0123456789abcdef".to_owned())
}

/// What [`other_schema`] is called.
pub(super) fn other_schema_hash() -> SchemaHash {
    SchemaHash::from_text("fedcba9876543210fedcba9876543210".to_owned())
}

/// The values of a kind that databases take for others, drop, cut or sort otherwise. Each may be a key, if the kind may.
pub(super) fn edges(kind: ColumnKind) -> Vec<Value> {
    match kind {
        ColumnKind::Integer => integers().map(Value::Integer).collect(),
        ColumnKind::Real => reals().map(Value::Real).collect(),
        ColumnKind::Text => texts().map(|text| Value::Text(text.to_owned())).collect(),
        ColumnKind::Blob => blobs().map(|bytes| Value::Blob(bytes.to_vec())).collect(),
    }
}

/// Values that are too long for a key.
fn long(kind: ColumnKind) -> Vec<Value> {
    let bytes = (0..LONG_BYTES).map(|at| u8::try_from(at * 31 % 251).unwrap());
    match kind {
        ColumnKind::Integer | ColumnKind::Real => Vec::new(),
        ColumnKind::Text => vec![Value::Text("é'\n\"\\ ".repeat(LONG_BYTES / 7))],
        ColumnKind::Blob => vec![Value::Blob(bytes.collect())],
    }
}

/// Rows of [`holding`]: each value of the kind, and `NULL`.
pub(super) fn cells(kind: ColumnKind) -> Vec<Row> {
    let values = edges(kind).into_iter().chain(long(kind)).chain([Value::Null]);
    (0..).zip(values).map(|(id, value)| vec![Value::Integer(id), value]).collect()
}

fn integers() -> impl Iterator<Item = i64> {
    let past_exact = (1_i64 << 53) + 1;
    let small = [-4_294_967_297, -65_536, -2, -1, 0, 1, 2, 9, 10, 255, 256, 4_294_967_296];
    [i64::MIN, i64::MIN + 1, -past_exact].into_iter().chain(small).chain([past_exact, i64::MAX - 1, i64::MAX])
}

fn reals() -> impl Iterator<Item = f64> {
    let smallest = f64::from_bits(1);
    let negative = [f64::NEG_INFINITY, f64::MIN, -1.5, -f64::MIN_POSITIVE, -smallest, -0.0];
    let positive =
        [smallest, f64::MIN_POSITIVE, 0.1 + 0.2, 1.0 / 3.0, 1.0, 9e15, 1e300, f64::MAX, f64::INFINITY];
    negative.into_iter().chain(positive)
}

fn texts() -> impl Iterator<Item = &'static str> {
    let plain = ["", " ", "  ", "0", "10", "9", "A", "B", "Z", "a", "a ", "ab", "b", "z", "NULL", "true"];
    let quoted = [
        "'", "''", "\"", "`", "\\", "\\N", "\\.", "\\x00", "a\\tb", "$1", "?", ":a", "%", "_", "--", "/*",
        ";",
    ];
    let blank = ["\t", "\n", "\r\n", "a\nb", "a\tb", "\u{1}", "\u{7f}"];
    // In bytes U+FFFD comes before U+1F600; in UTF-16 it does not.
    let foreign = [
        "é",
        "e\u{301}",
        "É",
        "ß",
        "ss",
        "ı",
        "İ",
        "日本",
        "\u{feff}a",
        "\u{fffd}",
        "\u{1f600}",
        "\u{10ffff}",
    ];
    plain.into_iter().chain(quoted).chain(blank).chain(foreign)
}

fn blobs() -> impl Iterator<Item = &'static [u8]> {
    let shown: [&[u8]; 6] = [b"", b"a", b"'", b"\\", b"\\x61", b"a\0b"];
    let hidden: [&[u8]; 8] = [&[0], &[0, 0], &[0, 255], &[1], &[127], &[128], &[255], &[255, 0]];
    shown.into_iter().chain(hidden)
}

/// The order of keys: numbers by value, text and bytes by their bytes.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.partial_cmp(b).unwrap(),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        other => panic!("{other:?} do not stand in one column"),
    }
}
