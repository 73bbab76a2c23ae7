use crate::table::TableSchema;
use std::sync::Arc;

/// The tables of a read model, as every database understands them, by name. Cloning it copies a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(Arc<[SchemaTable]>);

/// A table of a read model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaTable {
    /// Its name, columns and indexes.
    pub schema: TableSchema,
    /// Statements of one database that belong to the table, run right after it is made; empty: none.
    pub also: &'static str,
}

impl Schema {
    pub(crate) fn new(tables: Vec<SchemaTable>) -> Self {
        Self(tables.into())
    }

    /// The tables, by name.
    pub fn tables(&self) -> &[SchemaTable] {
        &self.0
    }
}
