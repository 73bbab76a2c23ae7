use super::{
    cursor::{Cursor, Fingerprint, fingerprint},
    error::QueryError,
    keyset::Direction,
};
use crate::{Column, Table, TableError, TableSchema, Value, identifier::quoted, packed::pack};

/// The order that the rows of a query stand in. Cursors are positions in it.
pub(crate) struct Order {
    schema: TableSchema,
    /// The value that all rows have in a column, if that is what is asked for.
    only: Option<(&'static Column, Value)>,
    /// The columns whose cells are a position: the key, or a column and the key.
    columns: Vec<&'static Column>,
    direction: Direction,
}

impl Order {
    pub(super) fn by_key<R: Table>(only: Option<(&'static Column, &Value)>) -> Self {
        let only = only.map(|(column, value)| (column, value.clone()));
        let columns = R::SCHEMA.columns.iter().filter(|column| column.key).collect();
        Self { schema: R::SCHEMA, only, columns, direction: Direction::Ascending }
    }

    pub(super) fn by_index<R: Table>(column: &'static Column) -> Self {
        let by_key = Self::by_key::<R>(None);
        Self { columns: [vec![column], by_key.columns].concat(), ..by_key }
    }

    pub(super) fn going(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    pub(super) fn keys(&self) -> Vec<&'static str> {
        self.columns.iter().filter(|column| column.key).map(|column| column.name).collect()
    }

    /// As SQL, after `ORDER BY`.
    pub(crate) fn sql(&self) -> String {
        let column = |column: &&Column| format!("{} {}", quoted(column.name), self.direction.sql());
        self.columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// The cursor behind `row`.
    pub(crate) fn cursor<R: Table>(&self, row: &R) -> Result<Cursor, TableError> {
        let cells = row.to_values()?;
        let at = |column: &&Column| self.schema.columns.iter().position(|known| known == *column);
        let cells = self.columns.iter().filter_map(at).filter_map(|at| cells.get(at).cloned());
        Ok(Cursor::new(self.fingerprint(), cells.collect()))
    }

    /// The cells that `cursor` stands behind.
    pub(super) fn position<'c>(&self, cursor: &'c Cursor) -> Result<&'c [Value], QueryError> {
        let fits = |cells: &&[Value]| {
            cells.len() == self.columns.len()
                && self.columns.iter().zip(*cells).all(|(column, cell)| column.may_hold(cell))
        };
        let other = || QueryError::OtherCursor { query: self.to_string() };
        cursor.position_in(self.fingerprint()).filter(fits).ok_or_else(other)
    }

    /// What tells this order from others. It is stored in cursors, so it stays as it is.
    fn fingerprint(&self) -> Fingerprint {
        let mut bytes = format!("{} {}", self.schema.name, self.direction.sql()).into_bytes();
        for column in &self.columns {
            let null = if column.nullable { " NULL" } else { "" };
            bytes.extend(format!(", {} {}{null}", column.name, column.kind.name()).bytes());
        }
        if let Some((column, value)) = &self.only {
            bytes.extend(format!(" WHERE {} = ", column.name).bytes());
            pack(&mut bytes, value);
        }
        fingerprint(&bytes)
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.schema.name)?;
        if let Some((column, value)) = &self.only {
            write!(f, " where {} is {value}", column.name)?;
        }
        let by: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        write!(f, " by {}", by.join(", "))?;
        if self.direction == Direction::Descending { f.write_str(", descending") } else { Ok(()) }
    }
}
