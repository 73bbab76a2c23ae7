//! What SQLite says when it does not do what it is asked, and which class that is.

use annals_projection::DatabaseError;

/// SQLite's primary result codes: BUSY and LOCKED.
const BUSY_CODES: [u32; 2] = [5, 6];
/// NOMEM, READONLY, IOERR, CANTOPEN and PROTOCOL mean "not now".
const AWAY_CODES: [u32; 5] = [7, 8, 10, 14, 15];
/// FULL.
const FULL_CODES: [u32; 1] = [13];
/// TOOBIG, CONSTRAINT and MISMATCH.
const DATA_CODES: [u32; 3] = [18, 19, 20];
/// CORRUPT and NOTADB.
const DAMAGE_CODES: [u32; 2] = [11, 26];

/// What a damaged file is called as long as its path is not known.
pub(crate) const FILE: &str = "the generation's file";

/// The error's class, with its text.
pub(crate) fn failure(error: sqlx::Error) -> DatabaseError {
    let reason = error.to_string();
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed) {
        return DatabaseError::Away { reason };
    }
    match primary_code(&error) {
        Some(code) if BUSY_CODES.contains(&code) => DatabaseError::Busy { reason },
        Some(code) if AWAY_CODES.contains(&code) => DatabaseError::Away { reason },
        Some(code) if FULL_CODES.contains(&code) => DatabaseError::Full { reason },
        Some(code) if DATA_CODES.contains(&code) => DatabaseError::Data { reason },
        Some(code) if DAMAGE_CODES.contains(&code) => {
            DatabaseError::Damaged { place: FILE.to_owned(), reason }
        }
        _ => DatabaseError::Denied { reason },
    }
}

/// Whether somebody else holds a lock that the statement needs.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| BUSY_CODES.contains(&code))
}

/// The low byte of an extended result code is the primary one.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
