//! Pages by position: what lies beyond a position is one range of an index, or two where `NULL`s come first or last.
//! Each range is read on its own, in its order, so none of them sorts.

use crate::{
    Column, Value,
    identifier::{joined, parameters, quoted},
};

/// Rows that stand together in an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Range {
    conditions: Vec<String>,
    values: Vec<Value>,
}

/// Which way an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
    const fn beyond(self) -> &'static str {
        match self {
            Self::Ascending => ">",
            Self::Descending => "<",
        }
    }
    const fn from(self) -> &'static str {
        match self {
            Self::Ascending => ">=",
            Self::Descending => "<=",
        }
    }
}

impl Range {
    /// The rows beyond the position; all without one.
    pub(super) fn beyond(keys: &[&str], direction: Direction, position: Option<&[Value]>) -> Self {
        Self::default().and_beyond(keys, direction, position)
    }

    /// The rows with this value in `column` whose keys lie beyond the position.
    pub(super) fn equal(
        column: &str,
        value: &Value,
        keys: &[&str],
        direction: Direction,
        position: Option<&[Value]>,
    ) -> Self {
        let equal = match value {
            Value::Null => Self::null(column),
            value => Self::default().compare(&[column], "=", [value]),
        };
        equal.and_beyond(keys, direction, position)
    }

    /// The statement that reads the first `rows` of them.
    pub(crate) fn statement(self, select: &str, order: &str, rows: usize) -> (String, Vec<Value>) {
        let Self { conditions, mut values } = self;
        let wanted = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        values.push(Value::Integer(i64::try_from(rows).unwrap_or(i64::MAX)));
        (format!("{select}{wanted} ORDER BY {order} LIMIT ${}", values.len()), values)
    }

    fn null(column: &str) -> Self {
        Self { conditions: vec![format!("{} IS NULL", quoted(column))], values: Vec::new() }
    }

    fn not_null(column: &str) -> Self {
        Self { conditions: vec![format!("{} IS NOT NULL", quoted(column))], values: Vec::new() }
    }

    fn and_beyond(self, keys: &[&str], direction: Direction, position: Option<&[Value]>) -> Self {
        match position {
            Some(cells) => self.compare(keys, direction.beyond(), cells),
            None => self,
        }
    }

    fn compare<'v>(
        mut self,
        columns: &[&str],
        operator: &str,
        cells: impl IntoIterator<Item = &'v Value>,
    ) -> Self {
        let due = parameters(self.values.len() + 1, columns.len());
        self.conditions.push(format!("({}) {operator} ({due})", joined(columns)));
        self.values.extend(cells.into_iter().cloned());
        self
    }
}

/// Where rows begin that are ordered by a column, then by their keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start<'v> {
    /// With the first row that has this value, or one that comes later.
    At(&'v Value),
    /// Beyond the row with this value and this key.
    Beyond(&'v Value, &'v [Value]),
}

/// The rows from `start` on, in the order of `column`, then of the keys.
pub(super) fn from_on(column: &Column, keys: &[&str], direction: Direction, start: Start<'_>) -> Vec<Range> {
    let (value, key) = match start {
        Start::At(value) => (value, None),
        Start::Beyond(value, key) => (value, Some(key)),
    };
    let nulls = Range::null(column.name);
    match (value, direction) {
        (Value::Null, Direction::Ascending) => {
            vec![nulls.and_beyond(keys, direction, key), Range::not_null(column.name)]
        }
        (Value::Null, Direction::Descending) => vec![nulls.and_beyond(keys, direction, key)],
        (value, direction) => {
            let (columns, cells) = ([&[column.name], keys].concat(), [value].into_iter());
            let values = match key {
                Some(key) => Range::default().compare(&columns, direction.beyond(), cells.chain(key)),
                None => Range::default().compare(&[column.name], direction.from(), cells),
            };
            let nulls = (direction == Direction::Descending && column.nullable).then_some(nulls);
            [values].into_iter().chain(nulls).collect()
        }
    }
}
