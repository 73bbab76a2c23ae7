//! How files are opened.
//!
//! WAL lets readers go on while one writer writes. `synchronous = NORMAL` does not sync at each commit: a power
//! cut may take the last transactions back. That loses nothing here, because rows and checkpoint go back
//! together and the log still has the events: they are folded again. The file itself stays sound, which
//! `synchronous = OFF` would not promise.

use sqlx::{
    ConnectOptions, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{fs::File, io, path::Path, time::Duration};

/// Begins a transaction that has the right to write from its start.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
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

/// Opens the file of a generation, which is there, for writing.
pub(crate) async fn open_writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    writer_options(path, SqliteSynchronous::Normal).create_if_missing(false).connect().await
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
