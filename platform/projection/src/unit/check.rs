use crate::{
    error::ModelError,
    identifier::check_identifier,
    table::{Column, TableSchema},
};
use std::collections::BTreeSet;

/// An error if no database could have this table.
pub(super) fn check_schema(schema: &TableSchema) -> Result<(), ModelError> {
    let table = || schema.name.to_owned();
    check_identifier("table", schema.name)?;
    let mut names = BTreeSet::new();
    for column in schema.columns {
        check_identifier("column", column.name)?;
        if !names.insert(column.name.to_ascii_lowercase()) {
            return Err(ModelError::RepeatedColumn { table: table(), column: column.name.to_owned() });
        }
        if column.key && column.nullable {
            return Err(ModelError::NullableKey { table: table(), column: column.name.to_owned() });
        }
    }
    if !schema.columns.iter().any(|column| column.key) {
        return Err(ModelError::NoKey(table()));
    }
    for index in schema.indexes {
        let column = (*index).to_owned();
        match schema.columns.iter().find(|column| column.name == *index) {
            None => return Err(ModelError::UnknownIndex { table: table(), column }),
            Some(Column { key: true, .. }) => {
                return Err(ModelError::IndexedKey { table: table(), column });
            }
            Some(_) => {}
        }
    }
    Ok(())
}
