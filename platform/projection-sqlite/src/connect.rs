//! How files are opened.
//!
//! WAL lets readers continue while one writer writes. `synchronous = NORMAL` does not sync at each commit, so a power
//! cut may undo the last transactions. That loses nothing here: rows and checkpoint are undone together, and the log still has
//! the events, which are folded again. The file itself stays sound, which `synchronous = OFF` would not promise.

use crate::failure::{failure, is_busy};
use annals_projection::DatabaseError;
use sqlx::{
    ConnectOptions, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Begins a transaction that has the right to write from its start.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// How long a writer waits for its turn before that is an error, which passes by itself.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How long it lets SQLite wait, which looks less and less often. Then it begins anew.
const WRITE_BUSY_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a statement waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it rests before that: SQLite does not always wait before it says that it is busy.
const WRITE_PAUSE: Duration = Duration::from_millis(1);
/// The page cache of a writer, in KiB (negative, as SQLite wants it).
const WRITER_CACHE_KIB: &str = "-32768";
/// How many pages the WAL has when it is copied back (16 MiB): fewer copies than by default during a rebuild.
const WAL_PAGES: &str = "4096";
/// How many prepared statements a connection keeps: several sizes of three statements for each table.
const STATEMENTS_KEPT: usize = 256;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_KEPT)
}

/// How `path` is opened for writing, created when there is none.
pub(crate) fn writer_options(path: &Path, synchronous: SqliteSynchronous) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .pragma("cache_size", WRITER_CACHE_KIB)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .pragma("temp_store", "MEMORY")
}

/// Opens the file of a generation, which is there, for writing. Its transactions begin with [`begin_write`].
pub(crate) async fn open_writer(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let options = writer_options(path, SqliteSynchronous::Normal);
    let options = options.create_if_missing(false).busy_timeout(WRITE_BUSY_TIMEOUT);
    open_patiently(|| options.connect()).await
}

/// Opens a file again while somebody else has it locked. Whoever opens it first or closes it last does, and then SQLite says at once
/// that it is busy.
pub(crate) async fn open_patiently<T, F: Future<Output = Result<T, sqlx::Error>>>(
    open: impl Fn() -> F,
) -> Result<T, DatabaseError> {
    let begun = Instant::now();
    loop {
        match open().await {
            Err(error) if is_busy(&error) && begun.elapsed() < WRITE_PATIENCE => {
                tokio::time::sleep(WRITE_PAUSE).await;
            }
            opened => return opened.map_err(failure),
        }
    }
}

/// Waits for the right to write, and begins a transaction with it; [`end_write`] ends it, and so does closing the
/// connection.
///
/// SQLite's own waiting looks ten times a second in the end, and a worker that writes one batch after the other
/// leaves gaps of less than a millisecond: whoever wants to take over from it would never have its turn.
pub(crate) async fn begin_write(connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
    while_busy(connection, BEGIN_WRITE).await.0.map_err(failure)
}

/// Tries again while somebody else holds the lock. Any other error is the caller's at once: a full disk is not less full
/// a moment later. Also gives how often it tried.
async fn while_busy(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> (Result<(), sqlx::Error>, u32) {
    let (begun, mut attempts) = (Instant::now(), 0);
    loop {
        attempts += 1;
        match sqlx::query(statement).execute(&mut *connection).await {
            Err(error) if is_busy(&error) && begun.elapsed() < WRITE_PATIENCE => {
                tokio::time::sleep(WRITE_PAUSE).await;
            }
            ended => return (ended.map(|_| ()), attempts),
        }
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    Rollback,
}

/// Ends the transaction that [`begin_write`] began.
pub(crate) async fn end_write(connection: &mut SqliteConnection, end: End) -> Result<(), DatabaseError> {
    let statement = match end {
        End::Commit => "COMMIT",
        End::Rollback => "ROLLBACK",
    };
    sqlx::query(statement).execute(connection).await.map(|_| ()).map_err(failure)
}

/// Makes the file of a generation, which nobody sees before it is complete: nothing in it can be taken back, and it is not synced.
pub(crate) async fn create_file(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let options = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", WRITER_CACHE_KIB)
        .pragma("temp_store", "MEMORY");
    options.connect().await.map_err(failure)
}

/// How `path` is opened for reading.
pub(crate) fn reader_options(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true).create_if_missing(false)
}

/// Opens `path` for reading.
pub(crate) async fn open_reader(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    reader_options(path).connect().await.map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::time::timeout;

    async fn connection(path: &Path) -> SqliteConnection {
        writer_options(path, SqliteSynchronous::Normal).busy_timeout(Duration::ZERO).connect().await.unwrap()
    }

    async fn run(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(connection).await.map(|_| ())
    }

    #[tokio::test]
    async fn a_disk_that_is_full_and_one_that_is_read_only_are_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full.sqlite");
        let mut full = connection(&path).await;
        run(&mut full, "CREATE TABLE t (x)").await.unwrap();
        run(&mut full, "PRAGMA max_page_count = 2").await.unwrap();
        let mut read_only = open_reader(&path).await.unwrap();
        let fill = "INSERT INTO t VALUES (zeroblob(100000))";
        for (connection, statement, code) in [(&mut full, fill, "13"), (&mut read_only, fill, "8")] {
            let (ended, attempts) = while_busy(connection, statement).await;
            let error = ended.unwrap_err();
            assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some(code), "{error}");
            assert!(failure(error).is_transient(), "whoever asked may try later");
            assert_eq!(attempts, 1);
        }
    }

    #[tokio::test]
    async fn a_lock_that_somebody_else_holds_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("busy.sqlite");
        let (mut holder, mut waiting) = (connection(&path).await, connection(&path).await);
        begin_write(&mut holder).await.unwrap();
        let mut begun = pin!(while_busy(&mut waiting, BEGIN_WRITE));
        assert!(timeout(WRITE_PAUSE * 20, begun.as_mut()).await.is_err(), "the lock is held");
        end_write(&mut holder, End::Rollback).await.unwrap();
        let (ended, attempts) = begun.await;
        ended.unwrap();
        assert!(attempts > 1);
    }
}
