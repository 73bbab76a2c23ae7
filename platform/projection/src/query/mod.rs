//! Questions to a read model, in words that every database understands.
//!
//! What always holds:
//!
//! * The rows of a page stand in a total order: of the selected column, then of the key. `NULL` is the least value; text is
//!   ordered by its bytes.
//! * A page begins right after the position that its cursor names. No row is counted to get there, so the last page costs as
//!   much as the first. A row that does not move between two pages is seen once; one that moves stands where it is found.
//! * A cursor is a position and no permission: it is neither secret nor signed. It fits the query that gave it and no other.
//! * Values are bound, never written into SQL. Parameters are `$1`, `$2` and so on, each with a value.

mod cursor;
mod error;
mod keyset;
mod order;
mod parameters;
mod select;
mod statement;
#[cfg(test)]
mod tests;

pub use cursor::{Cursor, InvalidCursor};
pub use error::QueryError;
pub use parameters::{Columns, Parameter, Parameters};
pub use select::{Page, Select};

pub(crate) use statement::{check_clause, check_select, select_rows};

/// How many rows a page may have.
pub const PAGE_ROWS_MAX: u32 = 500;
/// How many rows a page has when nobody says otherwise.
pub const PAGE_ROWS_DEFAULT: u32 = 50;
/// How many keys may be asked for at once.
pub const QUERY_KEYS_MAX: usize = 500;
/// How many rows a query may find. One that finds more is an error: give it a `LIMIT`.
pub const QUERY_ROWS_MAX: usize = 10_000;
