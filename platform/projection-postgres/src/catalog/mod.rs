//! The catalog: which generations there are, what each says of itself, and which one is live.
//!
//! Control rows stand here, and not in the generations' schemas. So a fence locks one row of a table whose name is always the
//! same, a view reads pointer, state and checkpoint with one statement, and the statements of every commit are prepared once for
//! all generations. Dropping a generation drops its schema and its row in one transaction. What it costs: a copy of a
//! generation's schema alone does not say its checkpoint.

mod control;
mod entries;
mod format;
mod indexes;
mod pointer;

pub(crate) use control::{Controlled, Find, advance, find, insert, raise, touch};
pub(crate) use entries::{begin, finish, generations, number, remove, stale_scratch, state};
pub(crate) use format::open;
pub(crate) use indexes::make_indexes;
pub(crate) use pointer::{change, live};

use annals_projection::backend::DatabaseError;
use sqlx::{Decode, Postgres, Row, Type, postgres::PgRow};

/// What errors call the catalog.
const CATALOG: &str = "the catalog";

fn damaged(reason: impl ToString) -> DatabaseError {
    DatabaseError::damaged(CATALOG, reason)
}

/// A column of one of the catalog's rows.
fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, at: usize) -> Result<T, DatabaseError> {
    row.try_get(at).map_err(damaged)
}

fn unsigned(row: &PgRow, at: usize) -> Result<u64, DatabaseError> {
    u64::try_from(get::<i64>(row, at)?).map_err(|_| damaged("a number is below zero"))
}

/// PostgreSQL's numbers are signed. A number that does not fit becomes the greatest, which no row has.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
