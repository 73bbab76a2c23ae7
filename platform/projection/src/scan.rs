//! All rows of a table of one view, page by page in the order of the key, so that none has to be counted or kept.

use crate::{
    SEQUENCE_COLUMN, TableSchema, Value,
    backend::{Batch, DatabaseError, View},
    identifier::{joined, parameters, quoted},
    value::ColumnKind,
};

/// How many rows a page has.
const PAGE_ROWS: usize = 4_096;

/// Where a scan is. The pages have the table's columns in their order, and the sequence number after them.
pub(crate) struct Scan {
    first: String,
    further: String,
    wanted: Vec<ColumnKind>,
    /// Which columns are the key.
    keys: Vec<usize>,
    after: Option<Vec<Value>>,
    finished: bool,
}

impl Scan {
    pub(crate) fn new(table: &TableSchema) -> Self {
        let columns: Vec<_> =
            table.columns.iter().map(|column| column.name).chain([SEQUENCE_COLUMN]).collect();
        let keys: Vec<_> = table.keys().map(|column| column.name).collect();
        let (select, order) =
            (format!("SELECT {} FROM {}", joined(&columns), quoted(table.name)), joined(&keys));
        let beyond = format!("({order}) > ({})", parameters(1, keys.len()));
        let is_key = |at: &usize| table.columns.get(*at).is_some_and(|column| column.key);
        Self {
            first: format!("{select} ORDER BY {order} LIMIT {PAGE_ROWS}"),
            further: format!("{select} WHERE {beyond} ORDER BY {order} LIMIT {PAGE_ROWS}"),
            wanted: table.columns.iter().map(|column| column.kind).chain([ColumnKind::Integer]).collect(),
            keys: (0..table.columns.len()).filter(is_key).collect(),
            after: None,
            finished: false,
        }
    }

    /// The next rows; none: all were read.
    pub(crate) async fn next(&mut self, view: &mut dyn View) -> Result<Batch, DatabaseError> {
        if self.finished {
            return Ok(Batch::default());
        }
        let (sql, values) = match self.after.take() {
            Some(key) => (&self.further, key),
            None => (&self.first, Vec::new()),
        };
        let page = view.query(sql, values, &self.wanted, PAGE_ROWS).await?;
        let last = |at: &usize| page.columns().get(*at)?.last().cloned();
        self.after = self.keys.iter().map(last).collect();
        self.finished = page.rows() < PAGE_ROWS || self.after.is_none();
        Ok(page)
    }
}
