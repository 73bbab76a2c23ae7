use crate::value::Value;

/// Rows, column by column. All columns are of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    columns: Vec<Vec<Value>>,
    rows: usize,
}

impl Batch {
    /// Room for `rows` rows of `columns` columns.
    pub fn with_capacity(columns: usize, rows: usize) -> Self {
        Self { columns: (0..columns).map(|_| Vec::with_capacity(rows)).collect(), rows: 0 }
    }

    /// These rows.
    pub fn of(columns: usize, rows: Vec<Vec<Value>>) -> Self {
        let mut batch = Self::with_capacity(columns, rows.len());
        rows.into_iter().for_each(|row| batch.push(row));
        batch
    }

    /// Adds a row, which has a cell for each column; one that is missing is `NULL`.
    pub fn push(&mut self, row: impl IntoIterator<Item = Value>) {
        let mut cells = row.into_iter();
        for column in &mut self.columns {
            column.push(cells.next().unwrap_or(Value::Null));
        }
        self.rows += 1;
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
    /// The columns.
    pub fn columns(&self) -> &[Vec<Value>] {
        &self.columns
    }
    /// The columns, to keep.
    pub fn into_columns(self) -> Vec<Vec<Value>> {
        self.columns
    }

    /// The rows, one by one.
    pub fn into_rows(self) -> impl Iterator<Item = Vec<Value>> {
        let mut columns: Vec<_> = self.columns.into_iter().map(Vec::into_iter).collect();
        (0..self.rows).map(move |_| columns.iter_mut().filter_map(Iterator::next).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let rows =
            vec![vec![Value::Integer(1), Value::Null], vec![Value::Integer(2), Value::Text("b".into())]];
        let batch = Batch::of(2, rows.clone());
        assert_eq!((batch.rows(), batch.columns().len()), (2, 2));
        assert_eq!(batch.into_rows().collect::<Vec<_>>(), rows);
        assert_eq!(Batch::of(3, Vec::new()).into_rows().count(), 0);
    }
}
