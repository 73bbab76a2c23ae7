//! How files are opened.
//!
//! WAL lets readers go on while one writer writes. `synchronous = NORMAL` does not sync at each commit: a power
//! cut may take the last transactions back. That loses nothing here, because rows and checkpoint go back
//! together and the log still has the events: they are folded again. The file itself stays sound, which
//! `synchronous = OFF` would not promise.

use super::is_transient;
use sqlx::{
    ConnectOptions, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    fs::File,
    io,
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
pub(crate) async fn open_writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = writer_options(path, SqliteSynchronous::Normal);
    options.create_if_missing(false).busy_timeout(WRITE_BUSY_TIMEOUT).connect().await
}

/// Waits for the right to write, and begins a transaction with it; [`end_write`] ends it, and so does closing the
/// connection.
///
/// SQLite's own waiting looks ten times a second in the end, and a worker that writes one batch after the other
/// leaves gaps of less than a millisecond: whoever wants to take over from it would never have its turn.
pub(crate) async fn begin_write(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let begun = Instant::now();
    loop {
        match sqlx::query(BEGIN_WRITE).execute(&mut *connection).await {
            Ok(_) => return Ok(()),
            Err(error) if is_transient(&error) && begun.elapsed() < WRITE_PATIENCE => {}
            Err(error) => return Err(error),
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
pub(crate) async fn end_write(connection: &mut SqliteConnection, end: End) -> Result<(), sqlx::Error> {
    let statement = match end {
        End::Commit => "COMMIT",
        End::Rollback => "ROLLBACK",
    };
    sqlx::query(statement).execute(connection).await.map(|_| ())
}

/// Makes the file of a generation. What is committed to it is durable at once.
pub(crate) async fn create_writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    writer_options(path, SqliteSynchronous::Full).connect().await
}

/// How `path` is opened for reading.
pub(crate) fn reader_options(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true).create_if_missing(false)
}

/// Opens `path` for reading.
pub(crate) async fn open_reader(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    reader_options(path).connect().await
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
