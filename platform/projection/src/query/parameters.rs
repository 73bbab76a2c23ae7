//! Tuples that become the parameters of a query, and those that the columns of its answer become.

use super::QueryError;
use crate::{Cells, ColumnKind, ColumnType, TableError, Value, ValueError};

/// A value that a query can have as a parameter: what a column can hold, or a text.
pub trait Parameter {
    /// The cell for this value.
    fn to_cell(&self) -> Result<Value, ValueError>;
}

impl<T: ColumnType> Parameter for T {
    fn to_cell(&self) -> Result<Value, ValueError> {
        self.to_value()
    }
}

impl Parameter for &str {
    fn to_cell(&self) -> Result<Value, ValueError> {
        Ok(Value::Text((*self).to_owned()))
    }
}

/// The parameters of a query, `$1` first: a tuple of up to eight [`Parameter`]s, `()` if it has none.
pub trait Parameters {
    /// Their cells.
    fn to_cells(&self) -> Result<Vec<Value>, QueryError>;
}

impl Parameters for () {
    fn to_cells(&self) -> Result<Vec<Value>, QueryError> {
        Ok(Vec::new())
    }
}

/// The columns of a row that is no table's: a tuple of up to eight column types.
pub trait Columns: Sized {
    /// What they hold.
    const KINDS: &'static [ColumnKind];
    /// The row with these cells.
    fn from_cells(cells: Vec<Value>) -> Result<Self, TableError>;
}

fn cell(number: usize, value: &impl Parameter) -> Result<Value, QueryError> {
    value.to_cell().map_err(|reason| QueryError::Parameter { number, reason })
}

macro_rules! tuples {
    ($($type:ident $at:tt $number:literal),+) => {
        impl<$($type: Parameter),+> Parameters for ($($type,)+) {
            fn to_cells(&self) -> Result<Vec<Value>, QueryError> {
                Ok(vec![$(cell($number, &self.$at)?),+])
            }
        }
        impl<$($type: ColumnType),+> Columns for ($($type,)+) {
            const KINDS: &'static [ColumnKind] = &[$($type::KIND),+];

            fn from_cells(cells: Vec<Value>) -> Result<Self, TableError> {
                let mut cells = Cells::new(cells);
                let row = ($(cells.take::<$type>(stringify!($number))?,)+);
                cells.finish()?;
                Ok(row)
            }
        }
    };
}

tuples!(A 0 1);
tuples!(A 0 1, B 1 2);
tuples!(A 0 1, B 1 2, C 2 3);
tuples!(A 0 1, B 1 2, C 2 3, D 3 4);
tuples!(A 0 1, B 1 2, C 2 3, D 3 4, E 4 5);
tuples!(A 0 1, B 1 2, C 2 3, D 3 4, E 4 5, F 5 6);
tuples!(A 0 1, B 1 2, C 2 3, D 3 4, E 4 5, F 5 6, G 6 7);
tuples!(A 0 1, B 1 2, C 2 3, D 3 4, E 4 5, F 5 6, G 6 7, H 7 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_no_column_can_hold_is_named() {
        assert_eq!(("a", 1_u8).to_cells(), Ok(vec![Value::Text("a".into()), Value::Integer(1)]));
        assert!(matches!((1, u64::MAX).to_cells(), Err(QueryError::Parameter { number: 2, .. })));
    }

    #[test]
    fn a_row_of_other_columns_is_no_such_tuple() {
        let cells = || vec![Value::Integer(1), Value::Null];
        assert_eq!(Columns::from_cells(cells()), Ok((1_i64, None::<String>)));
        assert!(matches!(<(i64,)>::from_cells(cells()), Err(TableError::Count { .. })));
        assert!(
            matches!(<(i64, i64, i64)>::from_cells(cells()), Err(TableError::Cell { column, .. }) if column == "2")
        );
    }
}
