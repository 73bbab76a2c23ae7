//! What every backend does, where a pooler gives each transaction another session and knows no prepared statements.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{
    backend::{Backend, DatabaseError},
    conformance::TestCatalog,
};
use annals_projection_postgres::{Listen, PostgresOptions, connect};
use async_trait::async_trait;
use std::sync::Arc;
use support::{MAY_NOT_SKIP, Pooler, TestDatabase};

struct Pooled {
    database: TestDatabase,
    pooler: &'static Pooler,
}

#[async_trait]
impl TestCatalog for Pooled {
    fn kind(&self) -> &'static str {
        "postgresql"
    }
    async fn open(&self) -> Result<Arc<dyn Backend>, DatabaseError> {
        let mut options = PostgresOptions::new(self.pooler.url(self.database.url()));
        options.statements_kept = 0;
        options.listen = Listen::At(self.database.url().to_owned());
        connect(&options).await
    }
    fn indexes(&self) -> &'static str {
        support::INDEXES
    }
}

async fn pooled() -> Option<Pooled> {
    let database = support::database().await?;
    let Some(pooler) = Pooler::shared(database.url()) else {
        assert!(support::may_skip(), "PgBouncer is not installed, and {MAY_NOT_SKIP} is set");
        eprintln!("skipped: PgBouncer is not installed");
        return None;
    };
    Some(Pooled { database, pooler })
}

annals_projection::conformance_tests!(pooled());
