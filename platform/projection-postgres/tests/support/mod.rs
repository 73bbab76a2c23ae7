//! A database of its own for each test: on the server that `ANNALS_TEST_POSTGRES_URL` names, else on one that is started from
//! installed binaries and ends with the test's process. Without either the test is skipped, which `ANNALS_TEST_MAY_NOT_SKIP=1` makes
//! a failure.

#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

pub(crate) mod item;
mod kept;
mod pooler;
mod proxy;
mod server;

pub(crate) use pooler::Pooler;
pub(crate) use proxy::{Commits, Proxy};
pub(crate) use server::Server;

use annals_projection::backend::{Backend, DatabaseError};
use annals_projection_postgres::{PostgresOptions, connect};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::Arc;
use uuid::Uuid;

/// Names the server to be used.
const URL: &str = "ANNALS_TEST_POSTGRES_URL";
/// Makes a skipped test a failure.
pub(crate) const MAY_NOT_SKIP: &str = "ANNALS_TEST_MAY_NOT_SKIP";
/// Finds the indexes of a view's table, without that of its primary key.
pub(crate) const INDEXES: &str = "SELECT indexname::text FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename = $1 AND indexname NOT LIKE '%\\_pkey'";

/// A database that goes with this.
pub(crate) struct TestDatabase {
    admin: String,
    name: String,
    url: String,
}

/// A new database; `None`: there is no server, and the test is skipped.
pub(crate) async fn database() -> Option<TestDatabase> {
    let Some(admin) = admin_url() else {
        assert!(may_skip(), "there is no PostgreSQL server, and {MAY_NOT_SKIP} is set");
        eprintln!("skipped: there is no PostgreSQL server; install one, or name one in {URL}");
        return None;
    };
    let name = format!("t{}", Uuid::now_v7().simple());
    let url = with_database(&admin, &name);
    execute(&admin, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await;
    Some(TestDatabase { admin, name, url })
}

/// A server that can crash, of which nobody else knows; `None`: there are no binaries to start it from.
pub(crate) fn own_server() -> Option<Server> {
    let server = Server::own();
    if server.is_none() {
        assert!(may_skip(), "there is no PostgreSQL to start, and {MAY_NOT_SKIP} is set");
        eprintln!("skipped: PostgreSQL is not installed");
    }
    server
}

/// Whether a test may be skipped.
pub(crate) fn may_skip() -> bool {
    !std::env::var(MAY_NOT_SKIP).is_ok_and(|word| word == "1")
}

fn admin_url() -> Option<String> {
    match std::env::var(URL) {
        Ok(url) => Some(url),
        Err(_) => Server::shared().map(Server::url),
    }
}

/// The URL of another database of the same server.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (before, query) =
        url.split_once('?').map_or((url, String::new()), |(url, rest)| (url, format!("?{rest}")));
    let base = before.rsplit_once('/').map_or(before, |(base, _)| base);
    format!("{base}/{name}{query}")
}

/// Runs statements on a connection of their own.
pub(crate) async fn execute(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

impl TestDatabase {
    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Options for it.
    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&self.url)
    }

    /// A handle, as another process has it.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Backend>, DatabaseError> {
        connect(&self.options()).await
    }

    /// A connection of its own.
    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Runs statements.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.url, sql).await;
    }

    /// Ends every session but the one that does so.
    pub(crate) async fn end_all_sessions(&self) {
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.execute(end).await;
    }

    /// The text that a statement finds.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        query.fetch_one(&mut self.connection().await).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // On a thread and in a runtime of its own: that of the test may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")));
        });
        let _ = dropping.join();
    }
}
