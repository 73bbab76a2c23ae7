//! What the database says when it does not do what it is asked, and whether that passes.

use std::fmt;

/// The database did not answer, or refused a statement.
///
/// Its text is the database's own. Which library talks to the database is not part of it, so an error looks the same
/// whichever database holds the rows.
#[derive(Debug)]
pub struct DatabaseError(sqlx::Error);

impl DatabaseError {
    /// Whether the same may succeed later, with nothing changed but the database's circumstances.
    pub fn is_transient(&self) -> bool {
        is_transient(&self.0)
    }

    /// Whether the database file is damaged.
    pub(crate) fn is_damage(&self) -> bool {
        is_damage(&self.0)
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DatabaseError {
    // The cause is told already; what is below it is not.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

/// SQLite's primary result codes that mean "not now": BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL.
const TRANSIENT_CODES: [u32; 8] = [5, 6, 7, 8, 10, 13, 14, 15];
/// BUSY and LOCKED.
const BUSY_CODES: [u32; 2] = [5, 6];
/// CORRUPT and NOTADB.
const DAMAGE_CODES: [u32; 2] = [11, 26];

/// Whether the same statement may succeed later, with nothing changed but the database's circumstances.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        error => primary_code(error).is_some_and(|code| TRANSIENT_CODES.contains(&code)),
    }
}

/// Whether somebody else holds a lock that the statement needs.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| BUSY_CODES.contains(&code))
}

/// Whether the database file is damaged.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| DAMAGE_CODES.contains(&code))
}

/// The low byte of an extended result code is the primary one.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
