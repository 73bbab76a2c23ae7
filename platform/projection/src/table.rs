//! Rows as Rust structs. `#[derive(Table)]` writes the implementation; nothing in it decides what is stored.

use crate::value::{ColumnKind, ColumnType, KeyColumn, Value, ValueError};

/// The column that every table has: the sequence number of the event that last changed the row.
pub const SEQUENCE_COLUMN: &str = "annals_sequence";

/// A struct that is a row of a table.
///
/// Values stand in the order of [`TableSchema::columns`] everywhere; the column
/// [`SEQUENCE_COLUMN`] is the platform's and is not among them.
///
/// A fold goes on with the row that it made, or with the row as the database has it, after a restart for example. Both must
/// be the same row: `PartialEq` compares every field, since a row that is equal to the one before is not written, and each
/// column's type gives back the value that it was given. Of 0.0 and -0.0, which are equal, either may be kept.
pub trait Table: Clone + PartialEq + Send + Sync + 'static {
    /// The type of the key: of one key column its type, of several a tuple in the order of the columns.
    type Key: TableKey;
    /// The table.
    const SCHEMA: TableSchema;

    /// Which row it is.
    fn key(&self) -> Self::Key;
    /// Whether it is the row with this key: it is asked after every change, and need not make a key.
    fn has_key(&self, key: &Self::Key) -> bool {
        self.key() == *key
    }
    /// The row's cells. Use [`cell`] for each.
    fn to_values(&self) -> Result<Vec<Value>, TableError>;
    /// An error if the row cannot be stored, as [`to_values`](Self::to_values) has it. It is asked after every change of the
    /// row, so that one event is refused however the log is cut into batches. [`fits`] of each cell is cheaper than the cells.
    fn check(&self) -> Result<(), TableError> {
        self.to_values().map(drop)
    }
    /// The row with these cells. Use [`Cells`].
    fn from_values(values: Vec<Value>) -> Result<Self, TableError>;
}

/// What identifies a row: one [`KeyColumn`] or a tuple of up to four.
pub trait TableKey: Clone + Eq + std::hash::Hash + Send + Sync + 'static {
    /// What its columns hold.
    const KINDS: &'static [ColumnKind];

    /// The key's cells, in the order of the table's key columns.
    fn to_values(&self) -> Result<Vec<Value>, ValueError>;
    /// The key of the next cells.
    fn take(cells: &mut Cells) -> Result<Self, TableError>;
}

/// A table: its name, its columns and its indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableSchema {
    /// Its name: an SQL identifier.
    pub name: &'static str,
    /// Its columns; at least one is a key.
    pub columns: &'static [Column],
    /// The columns that have an index of their own.
    pub indexes: &'static [&'static str],
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Its name: an SQL identifier.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether it may be `NULL`; a key may not.
    pub nullable: bool,
    /// Whether it is part of the key.
    pub key: bool,
}

impl TableSchema {
    /// The columns of the key, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().filter(|column| column.key)
    }

    /// What each column holds.
    pub(crate) fn kinds(&self) -> Vec<ColumnKind> {
        self.columns.iter().map(|column| column.kind).collect()
    }
}

impl Column {
    /// A column that holds values of type `T`.
    pub const fn of<T: ColumnType>(name: &'static str) -> Self {
        Self { name, kind: T::KIND, nullable: T::NULLABLE, key: false }
    }
    /// A column that holds values of type `T` and is part of the key.
    pub const fn key_of<T: KeyColumn>(name: &'static str) -> Self {
        Self { name, kind: T::KIND, nullable: T::NULLABLE, key: true }
    }

    /// Whether this cell can stand in the column.
    pub(crate) fn may_hold(&self, cell: &Value) -> bool {
        match cell.kind() {
            Some(kind) => kind == self.kind,
            None => self.nullable,
        }
    }
}

/// A row that does not fit its table, or cells that are no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A cell is not what its column holds.
    #[error("column {column:?}: {reason}")]
    Cell {
        /// The column.
        column: String,
        /// What is wrong.
        reason: ValueError,
    },
    /// There are more or fewer cells than columns.
    #[error("the row has {found} than the table has columns")]
    Count {
        /// "fewer cells" or "more cells".
        found: &'static str,
    },
}

/// The cell of `value` in `column`.
pub fn cell<T: ColumnType>(column: &str, value: &T) -> Result<Value, TableError> {
    value.to_value().map_err(|reason| TableError::Cell { column: column.to_owned(), reason })
}

/// Whether `value` can stand in `column`; costs nothing for a type whose values all fit.
pub fn fits<T: ColumnType>(column: &str, value: &T) -> Result<(), TableError> {
    if T::ALWAYS_FITS { Ok(()) } else { cell(column, value).map(drop) }
}

/// What errors call a key's columns.
const KEY: &str = "the key";

/// The cells of a key.
pub(crate) fn key_cells<K: TableKey>(key: &K) -> Result<Vec<Value>, TableError> {
    key.to_values().map_err(|reason| TableError::Cell { column: KEY.to_owned(), reason })
}

/// The row with this key, in words: the table, and each key column with its value as an SQL literal, cut if it is long.
pub(crate) fn key_text<R: Table>(key: &R::Key) -> String {
    let columns = R::SCHEMA.keys();
    let cells = key.to_values().unwrap_or_default();
    let cells: Vec<_> =
        columns.zip(cells).map(|(column, cell)| format!("{}={}", column.name, cell.brief())).collect();
    format!("the row {} of table {:?}", cells.join(", "), R::SCHEMA.name)
}

/// The cells of a row, taken one by one in the order of the columns.
#[derive(Debug)]
pub struct Cells(std::vec::IntoIter<Value>);

impl Cells {
    /// The cells of one row.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }
    /// The next cell, as the value of `column`.
    pub fn take<T: ColumnType>(&mut self, column: &str) -> Result<T, TableError> {
        let value = self.0.next().ok_or(TableError::Count { found: "fewer cells" })?;
        T::from_value(value).map_err(|reason| TableError::Cell { column: column.to_owned(), reason })
    }
    /// Checks that no cell is left.
    pub fn finish(self) -> Result<(), TableError> {
        if self.0.len() == 0 { Ok(()) } else { Err(TableError::Count { found: "more cells" }) }
    }
}

impl<T: KeyColumn> TableKey for T {
    const KINDS: &'static [ColumnKind] = &[T::KIND];

    fn to_values(&self) -> Result<Vec<Value>, ValueError> {
        Ok(vec![self.to_value()?])
    }
    fn take(cells: &mut Cells) -> Result<Self, TableError> {
        cells.take(KEY)
    }
}

macro_rules! tuple_key {
    ($($type:ident $at:tt),+) => {
        impl<$($type: KeyColumn),+> TableKey for ($($type,)+) {
            const KINDS: &'static [ColumnKind] = &[$($type::KIND),+];

            fn to_values(&self) -> Result<Vec<Value>, ValueError> {
                Ok(vec![$(self.$at.to_value()?),+])
            }
            fn take(cells: &mut Cells) -> Result<Self, TableError> {
                Ok(($(cells.take::<$type>(KEY)?,)+))
            }
        }
    };
}

tuple_key!(A 0, B 1);
tuple_key!(A 0, B 1, C 2);
tuple_key!(A 0, B 1, C 2, D 3);
