//! The open file of the catalog.

use super::FILE;
use crate::{
    GenerationError,
    file_id::FileId,
    sqlite::{BEGIN_WRITE, CATALOG, read_format, sync_folder, writer_options},
};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqlitePoolOptions, SqliteSynchronous},
};
use std::path::Path;

/// How many connections to the catalog there are.
const CONNECTIONS_MAX: u32 = 4;

/// An open catalog.
pub(super) struct Opened {
    pub(super) pool: SqlitePool,
    pub(super) file: Option<FileId>,
}

impl Opened {
    pub(super) async fn new(folder: &Path) -> Result<Self, GenerationError> {
        std::fs::create_dir_all(folder).map_err(GenerationError::file(folder))?;
        let path = folder.join(FILE);
        let options = writer_options(&path, SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await?;
        prepare(&pool, &path).await?;
        sync_folder(folder).map_err(GenerationError::file(folder))?;
        Ok(Self { pool, file: FileId::of(&path)? })
    }
}

/// Makes the tables of a new catalog, and checks the format of one that is there.
async fn prepare(pool: &SqlitePool, path: &Path) -> Result<(), GenerationError> {
    let mut transaction: Transaction<'_, Sqlite> = pool.begin_with(BEGIN_WRITE).await?;
    match read_format(&mut transaction).await? {
        0 => CATALOG.create(&mut transaction).await?,
        found => GenerationError::check_format(path.display(), found, CATALOG.number)?,
    }
    Ok(transaction.commit().await?)
}
