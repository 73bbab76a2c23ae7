//! Read models: fold, checkpoint, generations, snapshots; the mechanism of a rebuild.

mod projection;
mod table;
mod value;

pub use projection::{ApplyError, SqlProjection, SqlTable, SqlTransaction, TableProjection};
pub use table::{Cells, Column, SEQUENCE_COLUMN, Table, TableError, TableKey, TableSchema, cell};
pub use value::{ColumnKind, ColumnType, KeyColumn, Value, ValueError};
