//! SQLite without Annals.

use super::{
    database::{Bare, Folded},
    payments::Captured,
};
use anyhow::Result;
use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{path::Path, sync::Arc};

const CREATE: &str = "
    CREATE TABLE customer_value (
        customer TEXT NOT NULL PRIMARY KEY,
        payments INTEGER NOT NULL,
        cents INTEGER NOT NULL,
        last_item TEXT,
        sequence INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE checkpoint (one INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
    INSERT INTO checkpoint VALUES (1, 0);";
const ADD: &str = "INSERT INTO customer_value VALUES (?1, 1, ?2, ?3, ?4)
    ON CONFLICT (customer) DO UPDATE SET payments = payments + 1, cents = cents + excluded.cents,
    last_item = excluded.last_item, sequence = excluded.sequence";
/// How many rows a statement has, as `annals-projection-sqlite` has it.
const ROWS_A_STATEMENT: [usize; 5] = [512, 128, 32, 8, 1];
/// The settings of a writer, as `annals-projection-sqlite` has them.
const CACHE_KIB: &str = "-32768";
const WAL_PAGES: &str = "4096";
const STATEMENTS_KEPT: usize = 256;

pub(crate) struct BareSqlite {
    connection: SqliteConnection,
    upserts: Vec<(usize, Arc<str>)>,
}

impl BareSqlite {
    /// A file in this folder, with an empty table.
    pub(crate) async fn create(folder: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("bare.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", CACHE_KIB)
            .pragma("wal_autocheckpoint", WAL_PAGES)
            .pragma("temp_store", "MEMORY")
            .statement_cache_capacity(STATEMENTS_KEPT);
        let mut connection = options.connect().await?;
        sqlx::raw_sql(CREATE).execute(&mut connection).await?;
        let upserts = ROWS_A_STATEMENT.map(|rows| (rows, upsert(rows).into()));
        Ok(Self { connection, upserts: upserts.into() })
    }

    async fn run(&mut self, statement: &'static str) -> Result<()> {
        sqlx::query(statement).execute(&mut self.connection).await?;
        Ok(())
    }
}

#[async_trait]
impl Bare for BareSqlite {
    async fn begin(&mut self) -> Result<()> {
        self.run("BEGIN IMMEDIATE").await
    }

    async fn add(&mut self, event: &Captured, sequence: i64) -> Result<()> {
        let add = sqlx::query(ADD).bind(&event.customer).bind(event.cents).bind(&event.item).bind(sequence);
        add.execute(&mut self.connection).await?;
        Ok(())
    }

    async fn write(&mut self, rows: &[Folded]) -> Result<()> {
        let mut left = rows;
        for (size, statement) in &self.upserts {
            while let Some((some, rest)) = left.split_at_checked(*size) {
                let mut upsert = sqlx::query(AssertSqlSafe(statement.clone()));
                for Folded { row, sequence } in some {
                    upsert = upsert.bind(&row.customer).bind(row.payments).bind(row.cents);
                    upsert = upsert.bind(&row.last_item).bind(*sequence);
                }
                upsert.execute(&mut self.connection).await?;
                left = rest;
            }
        }
        Ok(())
    }

    async fn commit(&mut self, through: i64) -> Result<()> {
        let checkpoint = sqlx::query("UPDATE checkpoint SET sequence = ? WHERE one = 1").bind(through);
        checkpoint.execute(&mut self.connection).await?;
        self.run("COMMIT").await
    }

    async fn payments(&mut self) -> Result<i64> {
        let sum = sqlx::query_scalar("SELECT coalesce(sum(payments), 0) FROM customer_value");
        Ok(sum.fetch_one(&mut self.connection).await?)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Ok(self.connection.close().await?)
    }
}

fn upsert(rows: usize) -> String {
    let tuples = vec!["(?,?,?,?,?)"; rows].join(",");
    format!(
        "INSERT INTO customer_value VALUES {tuples} ON CONFLICT (customer) DO UPDATE SET customer = excluded.customer,
         payments = excluded.payments, cents = excluded.cents, last_item = excluded.last_item,
         sequence = excluded.sequence"
    )
}
