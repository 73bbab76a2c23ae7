use super::{PAGE_ROWS_MAX, QUERY_KEYS_MAX, QUERY_ROWS_MAX};
use crate::{TableError, ValueError};

/// Why a question cannot be asked as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A page of no rows, or of too many.
    #[error("a page of {limit} rows is asked for; ask for 1 to {PAGE_ROWS_MAX}")]
    Limit {
        /// What was asked for.
        limit: u32,
    },
    /// The cursor was given by another query, or when the table had other columns.
    #[error(
        "the cursor is of another query than {query}; use it with the query that gave it, or begin without one"
    )]
    OtherCursor {
        /// The query that it does not fit.
        query: String,
    },
    /// A value, or a key, that the column cannot hold.
    #[error("the value asked for cannot be in the table: {0}")]
    Value(TableError),
    /// Too many keys at once.
    #[error("{keys} keys are asked for at once; ask for at most {QUERY_KEYS_MAX}")]
    TooManyKeys {
        /// How many.
        keys: usize,
    },
    /// The column to order by has no index.
    #[error("column {column:?} of table {table:?} has no index to read its rows by; mark it #[table(index)]")]
    NotIndexed {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A parameter that no column could hold.
    #[error("parameter ${number}: {reason}")]
    Parameter {
        /// Which one, from 1.
        number: usize,
        /// What is wrong.
        reason: ValueError,
    },
    /// The SQL is not what it has to be.
    #[error("the query {sql:?} cannot be asked: {reason}")]
    Statement {
        /// The SQL.
        sql: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// More rows than an answer may have.
    #[error("the query finds more than {QUERY_ROWS_MAX} rows; give it a LIMIT, or read pages")]
    TooManyRows,
}

impl QueryError {
    /// Whether a value that was given is wrong, rather than the code that asks.
    pub fn is_invalid_input(&self) -> bool {
        match self {
            Self::Limit { .. }
            | Self::OtherCursor { .. }
            | Self::Value(_)
            | Self::TooManyKeys { .. }
            | Self::Parameter { .. } => true,
            Self::NotIndexed { .. } | Self::Statement { .. } | Self::TooManyRows => false,
        }
    }
}
