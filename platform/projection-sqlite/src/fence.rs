//! A generation's file that is locked for writing. The lock ends with the connection, and so with the process.

use crate::{
    catalog::CatalogFile,
    connect::{End, begin_write, end_write, open_writer},
    control::{raise_epoch, read_status},
    failure::failure,
    statements::Statements,
    writer::FileWriter,
};
use annals_projection::{
    DatabaseError, GenerationStatus,
    backend::{Change, Fence, Writer, crash_point},
};
use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use std::{path::PathBuf, sync::Arc};
use tracing::Instrument;

/// A locked file.
pub(crate) struct FencedFile {
    path: PathBuf,
    connection: SqliteConnection,
    status: GenerationStatus,
    catalog: Arc<CatalogFile>,
    statements: Arc<Statements>,
}

impl FencedFile {
    pub(crate) async fn lock(
        path: PathBuf,
        catalog: Arc<CatalogFile>,
        statements: Arc<Statements>,
    ) -> Result<Self, DatabaseError> {
        let mut connection = open_writer(&path).await?;
        begin_write(&mut connection).await?;
        let status = read_status(&mut connection).await?;
        Ok(Self { path, connection, status, catalog, statements })
    }
}

#[async_trait]
impl Fence for FencedFile {
    fn status(&self) -> &GenerationStatus {
        &self.status
    }

    async fn claim(self: Box<Self>) -> Result<Box<dyn Writer>, DatabaseError> {
        let Self { path, mut connection, status, statements, .. } = *self;
        let epoch = raise_epoch(&mut connection).await?;
        end_write(&mut connection, End::Commit).await?;
        let status = GenerationStatus { epoch, ..status };
        Ok(Box::new(FileWriter::new(path, connection, status, statements)))
    }

    async fn flip(self: Box<Self>, change: &Change) -> Result<(), DatabaseError> {
        // A task of its own: if the caller goes away halfway, the file stays locked until it is clear whether the pointer moved.
        let flipping = tokio::spawn(flip(*self, change.clone()).in_current_span());
        match flipping.await {
            Ok(flipped) => flipped,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going down: so does the caller.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

async fn flip(mut file: FencedFile, change: Change) -> Result<(), DatabaseError> {
    raise_epoch(&mut file.connection).await?;
    file.catalog.change(&change).await?;
    crash_point("pointer-moved")?;
    end_write(&mut file.connection, End::Commit).await?;
    file.connection.close().await.map_err(failure)
}
