use super::{Reader, ReaderError};
use crate::{
    Columns, Page, Parameters, QUERY_KEYS_MAX, QUERY_ROWS_MAX, QueryError, Select, Table, TableError,
    TableKey, Value,
    query::{check_clause, check_select, select_by_keys, select_rows},
    sqlite::{Connected, bind, read_cells},
    table::key_cells,
};
use futures::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Row,
    sqlite::{SqliteArguments, SqliteRow},
};
use std::{collections::HashMap, slice};

/// For how many keys there are statements; fewer keys are followed by `NULL`, which equals no key. So each is prepared once
/// and kept.
const KEYS_A_STATEMENT: [usize; 5] = [1, 8, 32, 128, QUERY_KEYS_MAX];

impl Reader {
    /// The row with this key.
    pub async fn get<R: Table>(&mut self, key: &R::Key) -> Result<Option<R>, ReaderError> {
        Ok(self.with_keys(slice::from_ref(key)).await?.pop())
    }

    /// The rows with these keys, in the order of the keys; a key without a row is left out. It is one query, of at most
    /// [`QUERY_KEYS_MAX`] keys.
    pub async fn get_many<R: Table>(&mut self, keys: &[R::Key]) -> Result<Vec<R>, ReaderError> {
        let found = self.with_keys::<R>(keys).await?.into_iter();
        let found: HashMap<_, _> = found.map(|row| (row.key(), row)).collect();
        Ok(keys.iter().filter_map(|key| found.get(key).cloned()).collect())
    }

    /// A page of the selected rows.
    pub async fn page<R: Table>(&mut self, select: Select<R>) -> Result<Page<R>, ReaderError> {
        self.check_table::<R>()?;
        let plan = select.plan()?;
        let limit = usize::try_from(plan.limit).unwrap_or(usize::MAX);
        let (all, order) = (select_rows(&R::SCHEMA), plan.order.sql());
        let mut rows = Vec::new();
        for range in plan.ranges {
            // One more than the page has, to know whether there are more.
            let (sql, values) = range.statement(&all, &order, limit + 1 - rows.len());
            rows.extend(self.rows::<R>(sql, values, limit + 1).await?);
            if rows.len() > limit {
                break;
            }
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| plan.order.cursor(row)).transpose().map_err(ReaderError::Row)?;
        Ok(Page { rows, next })
    }

    /// The rows that a clause of SQL finds: what stands after `SELECT .. FROM table`, like
    /// `"WHERE orders > $1 ORDER BY revenue_cents DESC LIMIT 10"`. More than [`QUERY_ROWS_MAX`] rows are an error.
    ///
    /// The parameters are `$1`, `$2` and so on, on every database; each needs its value, and each value its parameter. A
    /// clause is a constant, so that no value from outside becomes part of it.
    pub async fn query<R: Table>(
        &mut self,
        clause: &'static str,
        parameters: impl Parameters,
    ) -> Result<Vec<R>, ReaderError> {
        self.check_table::<R>()?;
        let values = parameters.to_cells()?;
        check_clause(clause, values.len())?;
        let sql = format!("{} {clause}", select_rows(&R::SCHEMA));
        self.rows(sql, values, QUERY_ROWS_MAX).await
    }

    /// What a `SELECT` of one's own finds, as tuples: sums, counts, and rows of tables that are no [`Table`]. Parameters and
    /// limits are those of [`query`](Self::query).
    pub async fn values<C: Columns>(
        &mut self,
        select: &'static str,
        parameters: impl Parameters,
    ) -> Result<Vec<C>, ReaderError> {
        let values = parameters.to_cells()?;
        check_select(select, values.len())?;
        let read = |row: &SqliteRow| C::from_cells(read_cells(row, row.len())?).map_err(ReaderError::Row);
        self.fetch(select.to_owned(), values, QUERY_ROWS_MAX, read).await
    }

    /// All rows, however many, in the order of their keys. For tests and tools; a service reads pages.
    pub async fn all<R: Table>(&mut self) -> Result<Vec<R>, ReaderError> {
        self.check_table::<R>()?;
        let order = Select::<R>::all().plan()?.order.sql();
        let sql = format!("{} ORDER BY {order}", select_rows(&R::SCHEMA));
        self.rows(sql, Vec::new(), usize::MAX).await
    }

    async fn with_keys<R: Table>(&mut self, keys: &[R::Key]) -> Result<Vec<R>, ReaderError> {
        self.check_table::<R>()?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows = KEYS_A_STATEMENT.into_iter().find(|rows| *rows >= keys.len());
        let rows = rows.ok_or(QueryError::TooManyKeys { keys: keys.len() })?;
        let values = cells_of(keys, rows).map_err(QueryError::Value)?;
        self.rows(select_by_keys(&R::SCHEMA, rows), values, QUERY_KEYS_MAX).await
    }

    async fn rows<R: Table>(
        &mut self,
        sql: String,
        values: Vec<Value>,
        rows_max: usize,
    ) -> Result<Vec<R>, ReaderError> {
        let read = |row: &SqliteRow| {
            R::from_values(read_cells(row, R::SCHEMA.columns.len())?).map_err(ReaderError::Row)
        };
        self.fetch(sql, values, rows_max, read).await
    }

    async fn fetch<T>(
        &mut self,
        sql: String,
        values: Vec<Value>,
        rows_max: usize,
        read: impl Fn(&SqliteRow) -> Result<T, ReaderError>,
    ) -> Result<Vec<T>, ReaderError> {
        let mut arguments = SqliteArguments::default();
        for value in values {
            bind(&mut arguments, value)?;
        }
        let mut rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch(self.connection());
        let mut found = Vec::new();
        while let Some(row) = rows.try_next().await? {
            if found.len() == rows_max {
                return Err(QueryError::TooManyRows.into());
            }
            found.push(read(&row)?);
        }
        Ok(found)
    }

    fn check_table<R: Table>(&self) -> Result<(), ReaderError> {
        let table = R::SCHEMA.name;
        if self.model().tables().iter().any(|known| known.name == table) {
            return Ok(());
        }
        Err(ReaderError::UnknownTable { model: self.model().name().to_string(), table: table.to_owned() })
    }
}

/// The cells of the keys, for a statement of `rows` keys.
fn cells_of<K: TableKey>(keys: &[K], rows: usize) -> Result<Vec<Value>, TableError> {
    let mut cells = Vec::with_capacity(rows * K::KINDS.len());
    for key in keys {
        cells.extend(key_cells(key)?);
    }
    cells.resize(rows * K::KINDS.len(), Value::Null);
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_more_keys_is_filled_up_with_null() {
        let cells = cells_of(&[(7_i64, "long".to_owned())], 3).unwrap();
        let given = [Value::Integer(7), Value::Text("long".into())];
        assert_eq!(cells, [&given[..], &[const { Value::Null }; 4]].concat());
    }
}
