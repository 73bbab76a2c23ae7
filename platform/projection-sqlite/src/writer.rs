//! The right to write a generation's file.
//!
//! What a connection has in hand after a failure is unknown, so nothing is written on it before it was settled: it is opened anew.

use crate::{
    connect::{End, begin_write, end_write, open_writer},
    control::{advance, read_status},
    failure::failure,
    statements::{Statements, run_script},
};
use annals_projection::{
    DatabaseError, GenerationStatus, TableSchema,
    backend::{Advance, Batch, Schema, Tx, Writer, crash_point, is_planted},
};
use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use std::{any::Any, path::PathBuf, sync::Arc};

/// An open file, and the right to write it until somebody else takes it.
pub(crate) struct FileWriter {
    path: PathBuf,
    connection: SqliteConnection,
    status: GenerationStatus,
    statements: Arc<Statements>,
    /// A transaction may be open, or its end unknown.
    unsettled: bool,
}

impl FileWriter {
    pub(crate) fn new(
        path: PathBuf,
        connection: SqliteConnection,
        status: GenerationStatus,
        statements: Arc<Statements>,
    ) -> Self {
        Self { path, connection, status, statements, unsettled: false }
    }

    /// Opens the file anew, waits for the transaction before, which may still be ending, and looks what became of it. The right to
    /// write is held afterwards.
    async fn settle(&mut self) -> Result<(), DatabaseError> {
        self.connection = open_writer(&self.path).await?;
        begin_write(&mut self.connection).await?;
        let found = read_status(&mut self.connection).await?;
        if found.epoch != self.status.epoch {
            return Err(DatabaseError::Fenced { found: found.epoch });
        }
        self.status = found;
        Ok(())
    }
}

#[async_trait]
impl Writer for FileWriter {
    fn status(&self) -> &GenerationStatus {
        &self.status
    }

    async fn begin(&mut self) -> Result<Box<dyn Tx + '_>, DatabaseError> {
        if self.unsettled {
            self.settle().await?;
        } else {
            self.unsettled = true;
            begin_write(&mut self.connection).await?;
        }
        Ok(Box::new(FileTx { writer: self }))
    }

    async fn finish(&mut self, schema: &Schema) -> Result<(), DatabaseError> {
        if self.unsettled {
            self.settle().await?;
            end_write(&mut self.connection, End::Rollback).await?;
            self.unsettled = false;
        }
        for table in schema.tables() {
            run_script(&mut self.connection, self.statements.of(&table.schema).indexes()).await?;
        }
        // What is in the WAL is copied into the file, which is synced.
        for statement in
            ["PRAGMA synchronous = FULL", "PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA synchronous = NORMAL"]
        {
            sqlx::query(statement).execute(&mut self.connection).await.map_err(failure)?;
        }
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), DatabaseError> {
        self.connection.close().await.map_err(failure)
    }
}

/// An open transaction.
struct FileTx<'w> {
    writer: &'w mut FileWriter,
}

#[async_trait]
impl Tx for FileTx<'_> {
    fn status(&self) -> &GenerationStatus {
        &self.writer.status
    }

    async fn load(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError> {
        self.writer.statements.of(table).select(&mut self.writer.connection, keys).await
    }

    async fn write(
        &mut self,
        table: &TableSchema,
        deletes: Batch,
        upserts: Batch,
    ) -> Result<(), DatabaseError> {
        let statements = self.writer.statements.of(table);
        statements.delete(&mut self.writer.connection, deletes).await?;
        statements.upsert(&mut self.writer.connection, upserts).await
    }

    fn native(&mut self) -> &mut (dyn Any + Send) {
        &mut self.writer.connection
    }

    async fn commit(self: Box<Self>, to: Advance) -> Result<(), DatabaseError> {
        let writer = self.writer;
        match commit(writer, &to).await {
            Ok(()) => {
                let Advance { through, chain, applied } = to;
                writer.status =
                    GenerationStatus { checkpoint: through, chain, applied, ..writer.status.clone() };
                writer.unsettled = false;
                Ok(())
            }
            Err(error) => {
                writer.unsettled = end_write(&mut writer.connection, End::Rollback).await.is_err();
                Err(error)
            }
        }
    }

    async fn roll_back(self: Box<Self>) -> Result<(), DatabaseError> {
        end_write(&mut self.writer.connection, End::Rollback).await?;
        self.writer.unsettled = false;
        Ok(())
    }
}

async fn commit(writer: &mut FileWriter, to: &Advance) -> Result<(), DatabaseError> {
    let connection = &mut writer.connection;
    if is_planted("checkpoint-outside-transaction") {
        end_write(connection, End::Commit).await?;
        crash_point("between-rows-and-checkpoint")?;
        begin_write(connection).await?;
    }
    advance(connection, &writer.status, to).await?;
    crash_point("checkpoint-written")?;
    end_write(connection, End::Commit).await
}
