use super::{
    PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX,
    cursor::Cursor,
    error::QueryError,
    keyset::{Direction, Range, Start, from_on},
    order::Order,
};
use crate::{Column, ColumnType, Table, TableError, TableKey, Value, cell};
use serde::Serialize;
use std::marker::PhantomData;

/// Which rows of a table are asked for, and in which order. [`Reader::page`](crate::Reader::page) reads them.
///
/// `#[derive(Table)]` makes two methods for each field with `#[table(index)]`, which are as visible as the field: of
/// `revenue_cents` they are `by_revenue_cents(from)`, which is [`by_index`](Self::by_index), and
/// `where_revenue_cents(value)`, which is [`where_index`](Self::where_index).
#[derive(Clone, Debug)]
pub struct Select<R> {
    rows: Rows,
    direction: Direction,
    after: Option<Cursor>,
    limit: u32,
    table: PhantomData<fn() -> R>,
}

#[derive(Clone, Debug)]
enum Rows {
    All,
    AfterKey(Result<Vec<Value>, TableError>),
    By(&'static str, Result<Value, TableError>),
    Where(&'static str, Result<Value, TableError>),
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<R> {
    /// Its rows, in their order.
    pub rows: Vec<R>,
    /// Where the next page begins; `None`: there were no more rows when this page was read.
    pub next: Option<Cursor>,
}

impl<R: Table> Select<R> {
    /// All rows, in the order of their keys.
    pub fn all() -> Self {
        Self::of(Rows::All)
    }

    /// The rows that come after this key, in the order of their keys, whether there is a row with it or not.
    pub fn after_key(key: &R::Key) -> Self {
        let cells = key.to_values();
        Self::of(Rows::AfterKey(
            cells.map_err(|reason| TableError::Cell { column: "the key".to_owned(), reason }),
        ))
    }

    /// The rows from the first with this value in `column` on, in the order of the column, then of their keys. `NULL` comes
    /// before all other values, so `None` begins with the rows that have none. The column must have an index.
    pub fn by_index<T: ColumnType>(column: &'static str, from: &T) -> Self {
        Self::of(Rows::By(column, cell(column, from)))
    }

    /// The rows with this value in `column`, in the order of their keys. The column must have an index.
    pub fn where_index<T: ColumnType>(column: &'static str, value: &T) -> Self {
        Self::of(Rows::Where(column, cell(column, value)))
    }

    /// The other way round: [`by_index`](Self::by_index) then begins with the value and goes down.
    #[must_use]
    pub fn descending(self) -> Self {
        Self { direction: Direction::Descending, ..self }
    }

    /// Goes on where another page of the same query ended, instead of at the query's beginning; `None` changes nothing.
    ///
    /// The same query is one with the same table, order and direction, and the same value of [`where_index`](Self::where_index);
    /// where it began, and how many rows its pages have, makes no difference.
    #[must_use]
    pub fn after(self, cursor: impl Into<Option<Cursor>>) -> Self {
        Self { after: cursor.into(), ..self }
    }

    /// How many rows the page has at most: 1 to [`PAGE_ROWS_MAX`]; without it, [`PAGE_ROWS_DEFAULT`].
    #[must_use]
    pub fn limit(self, rows: u32) -> Self {
        Self { limit: rows, ..self }
    }

    const fn of(rows: Rows) -> Self {
        let (direction, limit) = (Direction::Ascending, PAGE_ROWS_DEFAULT);
        Self { rows, direction, after: None, limit, table: PhantomData }
    }

    /// What to read.
    pub(crate) fn plan(&self) -> Result<Plan, QueryError> {
        if !(1..=PAGE_ROWS_MAX).contains(&self.limit) {
            return Err(QueryError::Limit { limit: self.limit });
        }
        let order = match &self.rows {
            Rows::All | Rows::AfterKey(_) => Order::by_key::<R>(None),
            Rows::By(column, _) => Order::by_index::<R>(indexed::<R>(column)?),
            Rows::Where(column, value) => Order::by_key::<R>(Some((indexed::<R>(column)?, given(value)?))),
        };
        let order = order.going(self.direction);
        let after = self.after.as_ref().map(|cursor| order.position(cursor)).transpose()?;
        let ranges = self.ranges(&order, after)?;
        Ok(Plan { order, ranges, limit: self.limit })
    }

    fn ranges(&self, order: &Order, after: Option<&[Value]>) -> Result<Vec<Range>, QueryError> {
        let (keys, direction) = (order.keys(), self.direction);
        Ok(match &self.rows {
            Rows::All => vec![Range::beyond(&keys, direction, after)],
            Rows::AfterKey(key) => vec![Range::beyond(&keys, direction, Some(after.unwrap_or(given(key)?)))],
            Rows::Where(column, value) => {
                vec![Range::equal(column, given(value)?, &keys, direction, after)]
            }
            Rows::By(column, from) => {
                let start = match after.and_then(<[Value]>::split_first) {
                    Some((value, key)) => Start::Beyond(value, key),
                    None => Start::At(given(from)?),
                };
                from_on(indexed::<R>(column)?, &keys, direction, start)
            }
        })
    }
}

/// A page to read: its ranges, one after the other, until it has enough rows.
pub(crate) struct Plan {
    pub(crate) order: Order,
    pub(crate) ranges: Vec<Range>,
    pub(crate) limit: u32,
}

fn given<T>(value: &Result<T, TableError>) -> Result<&T, QueryError> {
    value.as_ref().map_err(|error| QueryError::Value(error.clone()))
}

fn indexed<R: Table>(column: &'static str) -> Result<&'static Column, QueryError> {
    let schema = R::SCHEMA;
    let found = schema.columns.iter().find(|known| known.name == column && schema.indexes.contains(&column));
    found.ok_or(QueryError::NotIndexed { table: schema.name, column })
}
