//! The databases that read models can be in, each with its catalog and as it is without Annals.

use super::{
    payments::{Captured, CustomerValue},
    sqlite::BareSqlite,
};
use annals_projection::Catalog;
use anyhow::Result;
use async_trait::async_trait;
use clap::ValueEnum;
use std::path::Path;

/// A database. Another one is another arm here and another [`Bare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    Sqlite,
}

impl Database {
    /// What figures call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
        }
    }

    /// A catalog in this folder.
    pub(crate) async fn catalog(self, folder: &Path) -> Result<Catalog> {
        match self {
            Self::Sqlite => Ok(annals_projection_sqlite::open(folder).await?),
        }
    }

    /// The database without Annals, with an empty table.
    pub(crate) async fn bare(self, folder: &Path) -> Result<Box<dyn Bare>> {
        match self {
            Self::Sqlite => Ok(Box::new(BareSqlite::create(folder).await?)),
        }
    }
}

/// A row, and the event that last changed it.
pub(crate) struct Folded {
    pub(crate) row: CustomerValue,
    pub(crate) sequence: i64,
}

/// A connection to a database without Annals, as careful as ours: the same table, and a checkpoint that moves in each transaction.
#[async_trait]
pub(crate) trait Bare: Send {
    /// Begins a transaction.
    async fn begin(&mut self) -> Result<()>;
    /// What one event does to its row, in one prepared statement.
    async fn add(&mut self, event: &Captured, sequence: i64) -> Result<()>;
    /// Writes rows as Annals does, in as few statements.
    async fn write(&mut self, rows: &[Folded]) -> Result<()>;
    /// Moves the checkpoint and commits.
    async fn commit(&mut self, through: i64) -> Result<()>;
    /// How many events all rows have counted.
    async fn payments(&mut self) -> Result<i64>;
    /// Closes the connection.
    async fn close(self: Box<Self>) -> Result<()>;
}
