//! What the server says when it does not do what it is asked, and which class of error that is.

use annals_projection::backend::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// `read_only_sql_transaction`. A view's transaction only reads; elsewhere the server has become a standby.
const READ_ONLY: &str = "25006";
/// `statement_completion_unknown`.
const COMPLETION_UNKNOWN: &str = "40003";

/// The class of an error.
pub(crate) fn failure(error: sqlx::Error) -> DatabaseError {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => classified(error.code(), text(error)),
            None => DatabaseError::denied(error),
        },
        sqlx::Error::PoolTimedOut => {
            DatabaseError::Busy { reason: "all connections to the database are in use".to_owned() }
        }
        sqlx::Error::Io(error) => away(error),
        error @ (sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed) => away(error),
        sqlx::Error::Encode(error) => DatabaseError::Data { reason: error.to_string() },
        error => DatabaseError::denied(error),
    }
}

/// The class of an error of `COMMIT`: of one that the server did not answer nobody knows what became of it.
pub(crate) fn commit_failure(error: sqlx::Error) -> DatabaseError {
    let code = code(&error).map(str::to_owned);
    let lost = code.is_some_and(|code| code == COMPLETION_UNKNOWN || code.starts_with("57P"));
    match failure(error) {
        DatabaseError::Away { reason } => DatabaseError::Unknown { reason },
        other if lost => DatabaseError::Unknown { reason: other.to_string() },
        other => other,
    }
}

/// The class of an error in a transaction that only reads.
pub(crate) fn read_failure(error: sqlx::Error) -> DatabaseError {
    let wrote = code(&error) == Some(READ_ONLY);
    match failure(error) {
        DatabaseError::Away { reason } if wrote => DatabaseError::Denied { reason },
        other => other,
    }
}

/// It does not answer.
pub(crate) fn away(reason: impl ToString) -> DatabaseError {
    DatabaseError::Away { reason: reason.to_string() }
}

fn code(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code())
}

fn text(error: &PgDatabaseError) -> String {
    match error.detail() {
        Some(detail) => format!("{} ({detail})", error.message()),
        None => error.message().to_owned(),
    }
}

/// The class of an SQLSTATE, of which the first two characters are the condition's class.
fn classified(code: &str, reason: String) -> DatabaseError {
    match (code.get(..2).unwrap_or_default(), code) {
        // deadlock, serialization; lock_not_available; statement_timeout; too many connections.
        ("40", _) | (_, "55P03" | "55006" | "57014" | "53300" | "53400") => DatabaseError::Busy { reason },
        // Out of disk, of memory, of something else.
        ("53", _) => DatabaseError::Full { reason },
        // Connections, shutdown, the system below it; a session that stood idle for too long; a server that has become a standby.
        ("08" | "57" | "58", _) | (_, READ_ONLY | "25P03" | "25P04") => DatabaseError::Away { reason },
        // Values, constraints; more than one row, a row too large for an index.
        ("22" | "23" | "54", _) | (_, "21000") => DatabaseError::Data { reason },
        (_, "XX001" | "XX002") => DatabaseError::damaged("the database", reason),
        (_, "26000") => DatabaseError::Denied {
            reason: format!(
                "{reason}; a pooler in between does not know prepared statements: keep none of them"
            ),
        },
        _ => DatabaseError::Denied { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_of_the_server_is_of_one_class() {
        let class = |code: &str| match classified(code, String::new()) {
            DatabaseError::Away { .. } => "away",
            DatabaseError::Busy { .. } => "busy",
            DatabaseError::Full { .. } => "full",
            DatabaseError::Data { .. } => "data",
            DatabaseError::Damaged { .. } => "damaged",
            _ => "denied",
        };
        for (due, codes) in [
            ("away", &["08006", "57P01", "57P03", "58030", "25P03", "25006"][..]),
            ("busy", &["40001", "40P01", "55P03", "57014", "53300"]),
            ("full", &["53100", "53200"]),
            ("data", &["22003", "22021", "23505", "23502", "54000", "21000"]),
            ("damaged", &["XX001", "XX002"]),
            ("denied", &["42601", "42501", "28P01", "3D000", "0A000", "26000", "XX000", ""]),
        ] {
            codes.iter().for_each(|code| assert_eq!(class(code), due, "{code}"));
        }
    }

    #[test]
    fn a_commit_without_an_answer_is_unknown() {
        let broken = || sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into());
        assert!(matches!(failure(broken()), DatabaseError::Away { .. }));
        assert!(matches!(commit_failure(broken()), DatabaseError::Unknown { .. }));
    }
}
