use super::{Reader, ReaderError};
use crate::{
    ColumnKind, Columns, Page, Parameters, QUERY_KEYS_MAX, QUERY_ROWS_MAX, QueryError, Select, Table,
    TableKey, Value,
    backend::Batch,
    query::{check_clause, check_select, select_rows},
    table::key_cells,
};
use std::{collections::HashMap, slice};

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
        let found = self.fetch(select, values, C::KINDS, QUERY_ROWS_MAX).await?;
        found.into_rows().map(|cells| C::from_cells(cells).map_err(ReaderError::Row)).collect()
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
        if keys.len() > QUERY_KEYS_MAX {
            return Err(QueryError::TooManyKeys { keys: keys.len() }.into());
        }
        let mut wanted = Batch::with_capacity(R::Key::KINDS.len(), keys.len());
        for key in keys {
            wanted.push(key_cells(key).map_err(QueryError::Value)?);
        }
        rows_of(self.view().get(&R::SCHEMA, wanted).await?)
    }

    async fn rows<R: Table>(
        &mut self,
        sql: String,
        values: Vec<Value>,
        rows_max: usize,
    ) -> Result<Vec<R>, ReaderError> {
        rows_of(self.fetch(&sql, values, &R::SCHEMA.kinds(), rows_max).await?)
    }

    async fn fetch(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        wanted: &[ColumnKind],
        rows_max: usize,
    ) -> Result<Batch, ReaderError> {
        // One more, to know whether there are more.
        let found = self.view().query(sql, values, wanted, rows_max.saturating_add(1)).await?;
        if found.rows() > rows_max { Err(QueryError::TooManyRows.into()) } else { Ok(found) }
    }

    fn check_table<R: Table>(&self) -> Result<(), ReaderError> {
        let table = R::SCHEMA.name;
        if self.model().table_names().any(|known| known == table) {
            return Ok(());
        }
        Err(ReaderError::UnknownTable { model: self.model().name().to_string(), table: table.to_owned() })
    }
}

fn rows_of<R: Table>(found: Batch) -> Result<Vec<R>, ReaderError> {
    found.into_rows().map(|cells| R::from_values(cells).map_err(ReaderError::Row)).collect()
}
