//! A file that is being made. It has a name of its own until it is complete; what it was is removed with it, unless a crash comes
//! first, and then it goes with the generation.

use crate::{
    catalog::CatalogFile,
    connect::create_file,
    control::insert_status,
    failure::failure,
    files::{file_error, file_in, remove_database, sync, unfinished_in},
    format::GENERATION,
    statements::{Statements, run_script},
};
use annals_projection::{
    DatabaseError, GenerationId, TableSchema,
    backend::{Batch, Build, GenerationSpec, Purpose},
};
use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A generation's file before it is complete.
pub(crate) struct NewFile {
    id: GenerationId,
    names: Names,
    connection: SqliteConnection,
    statements: Arc<Statements>,
    /// `None`: the catalog does not list it.
    catalog: Option<Arc<CatalogFile>>,
}

struct Names {
    unfinished: PathBuf,
    finished: PathBuf,
}

impl Drop for Names {
    fn drop(&mut self) {
        // What cannot be removed now goes with the generation.
        let _ = remove_database(&self.unfinished);
    }
}

impl NewFile {
    pub(crate) async fn create(
        folder: &Path,
        spec: &GenerationSpec,
        catalog: Option<Arc<CatalogFile>>,
        statements: Arc<Statements>,
    ) -> Result<Self, DatabaseError> {
        let names = Names { unfinished: unfinished_in(folder, spec.id), finished: file_in(folder, spec.id) };
        let mut connection = create_file(&names.unfinished).await?;
        run_script(&mut connection, "BEGIN").await?;
        GENERATION.create(&mut connection).await?;
        for table in spec.schema.tables() {
            let made = statements.of(&table.schema);
            run_script(&mut connection, made.create()).await?;
            run_script(&mut connection, table.also)
                .await
                .map_err(|error| also_refused(&table.schema, error))?;
            if spec.purpose == Purpose::Live {
                run_script(&mut connection, made.indexes()).await?;
            }
        }
        insert_status(&mut connection, &spec.status).await?;
        Ok(Self { id: spec.id, names, connection, statements, catalog })
    }
}

/// Names the table whose further statements the database does not take.
fn also_refused(table: &TableSchema, error: DatabaseError) -> DatabaseError {
    match error {
        DatabaseError::Denied { reason } | DatabaseError::Data { reason } => {
            DatabaseError::denied(format!("the statements that follow table {:?}: {reason}", table.name))
        }
        other => other,
    }
}

#[async_trait]
impl Build for NewFile {
    async fn write(&mut self, table: &TableSchema, rows: Batch) -> Result<(), DatabaseError> {
        self.statements.of(table).insert(&mut self.connection, rows).await
    }

    async fn finish(self: Box<Self>) -> Result<(), DatabaseError> {
        let Self { id, names, mut connection, catalog, .. } = *self;
        // Whoever reads it before it is first written must not hold its writer up.
        run_script(&mut connection, "COMMIT; PRAGMA journal_mode = WAL").await?;
        connection.close().await.map_err(failure)?;
        sync(&names.unfinished)?;
        let place = || {
            fs::rename(&names.unfinished, &names.finished).map_err(file_error(&names.finished))?;
            names.finished.parent().map_or(Ok(()), sync)
        };
        match catalog {
            Some(catalog) => catalog.set_ready(id, place).await.map(|_| ()),
            None => place(),
        }
    }
}
