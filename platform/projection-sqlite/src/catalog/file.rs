//! The open file of the catalog.

use crate::{
    connect::{BEGIN_WRITE, open_patiently, writer_options},
    failure::failure,
    file_id::file_id,
    files::{Files, make_folder, sync},
    format::{CATALOG, check_format, read_format},
};
use annals_projection::{DatabaseError, backend::Instance};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqlitePoolOptions, SqliteSynchronous},
};
use std::path::Path;

/// How many connections to the catalog there are.
const CONNECTIONS_MAX: u32 = 4;

/// An open catalog.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) pool: SqlitePool,
    pub(super) file: Option<Instance>,
}

impl Opened {
    pub(super) async fn new(files: &Files) -> Result<Self, DatabaseError> {
        make_folder(files.folder())?;
        let path = files.catalog();
        let options = writer_options(&path, SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX);
        let pool = open_patiently(|| pool.clone().connect_with(options.clone())).await?;
        prepare(&pool, &path).await?;
        sync(files.folder())?;
        Ok(Self { pool, file: file_id(&path)? })
    }
}

/// Makes the tables of a new catalog, and checks the format of one that is there.
async fn prepare(pool: &SqlitePool, path: &Path) -> Result<(), DatabaseError> {
    let mut transaction: Transaction<'_, Sqlite> = pool.begin_with(BEGIN_WRITE).await.map_err(failure)?;
    match read_format(&mut transaction).await? {
        0 => CATALOG.create(&mut transaction).await?,
        found => check_format(path.display(), found, CATALOG.number)?,
    }
    transaction.commit().await.map_err(failure)
}
