//! Reads one table of two generations side by side, in the order of its key. A few thousand rows of each are in memory.

use super::{Difference, RowSample, sample::cells};
use crate::{GenerationError, TableSchema, Value, backend::View, scan::Scan};
use std::cmp::Ordering;

/// A table's columns as they are compared: those of the key first.
struct Shape {
    table: TableSchema,
    /// Which column of the table each one is.
    columns: Vec<usize>,
    keys: usize,
}

/// A row's cells, those of the key first.
type Cells = Vec<Value>;

/// Compares one table, and adds what is found to `found`.
pub(super) async fn compare_table(
    table: &TableSchema,
    live: &mut dyn View,
    candidate: &mut dyn View,
    found: &mut Difference,
) -> Result<(), GenerationError> {
    let shape = Shape::of(table);
    let mut rows = (Rows::read(&shape, live), Rows::read(&shape, candidate));
    let samples_max = Difference::SAMPLES_MAX.min(found.samples.len() + Difference::SAMPLES_OF_TABLE_MAX);
    let (mut old, mut new) = (rows.0.next().await?, rows.1.next().await?);
    loop {
        let sample = match shape.order(old.as_ref(), new.as_ref()) {
            None => return Ok(()),
            Some(Ordering::Less) => {
                found.removed += 1;
                let removed = std::mem::replace(&mut old, rows.0.next().await?);
                removed.map(|row| shape.sample(Some(&row), None))
            }
            Some(Ordering::Greater) => {
                found.added += 1;
                let added = std::mem::replace(&mut new, rows.1.next().await?);
                added.map(|row| shape.sample(None, Some(&row)))
            }
            Some(Ordering::Equal) => {
                let live = std::mem::replace(&mut old, rows.0.next().await?);
                let candidate = std::mem::replace(&mut new, rows.1.next().await?);
                let changed = live != candidate;
                *(if changed { &mut found.changed } else { &mut found.same }) += 1;
                changed.then(|| shape.sample(live.as_ref(), candidate.as_ref()))
            }
        };
        if found.samples.len() < samples_max {
            found.samples.extend(sample);
        }
    }
}

impl Shape {
    fn of(table: &TableSchema) -> Self {
        let mut columns: Vec<_> = (0..table.columns.len()).collect();
        let is_key = |at: &usize| table.columns.get(*at).is_some_and(|column| column.key);
        columns.sort_by_key(|at| !is_key(at));
        Self { table: *table, keys: columns.iter().filter(|at| is_key(at)).count(), columns }
    }

    /// Which of two rows comes first; `None`: there are none.
    fn order(&self, live: Option<&Cells>, candidate: Option<&Cells>) -> Option<Ordering> {
        match (live, candidate) {
            (None, None) => None,
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some(live), Some(candidate)) => {
                let keys = live.iter().zip(candidate).take(self.keys);
                Some(keys.map(|(a, b)| order(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
            }
        }
    }

    fn sample(&self, live: Option<&Cells>, candidate: Option<&Cells>) -> RowSample {
        let key = live.or(candidate).map(|row| self.named(row, 0..self.keys)).unwrap_or_default();
        let differs = |at: &usize| match (live, candidate) {
            (Some(live), Some(candidate)) => live.get(*at) != candidate.get(*at),
            _ => true,
        };
        let columns: Vec<_> = (self.keys..self.columns.len()).filter(differs).collect();
        let side = |row: Option<&Cells>| row.map(|row| self.named(row, columns.iter().copied()));
        RowSample { table: self.table.name.to_owned(), key, live: side(live), candidate: side(candidate) }
    }

    fn named(&self, row: &Cells, columns: impl IntoIterator<Item = usize>) -> String {
        let cell = |at: usize| Some((self.table.columns.get(*self.columns.get(at)?)?.name, row.get(at)?));
        cells(columns.into_iter().filter_map(cell))
    }
}

/// The rows of a table in the order of its key.
struct Rows<'v> {
    scan: Scan,
    view: &'v mut dyn View,
    columns: Vec<usize>,
    page: std::vec::IntoIter<Vec<Value>>,
}

impl<'v> Rows<'v> {
    fn read(shape: &Shape, view: &'v mut dyn View) -> Self {
        let scan = Scan::new(&shape.table);
        Self { scan, view, columns: shape.columns.clone(), page: Vec::new().into_iter() }
    }

    async fn next(&mut self) -> Result<Option<Cells>, GenerationError> {
        if self.page.len() == 0 {
            self.page = self.scan.next(self.view).await?.into_rows().collect::<Vec<_>>().into_iter();
        }
        let Some(mut row) = self.page.next() else { return Ok(None) };
        let take = |at: &usize| row.get_mut(*at).map(|cell| std::mem::replace(cell, Value::Null));
        Ok(Some(self.columns.iter().filter_map(take).collect()))
    }
}

/// NULL, numbers, text, bytes; text and bytes by their bytes.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.total_cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    }
}
