//! What every backend does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{
    backend::{Backend, DatabaseError},
    conformance::TestCatalog,
};
use async_trait::async_trait;
use std::sync::Arc;
use support::TestDatabase;

struct InPostgres(TestDatabase);

#[async_trait]
impl TestCatalog for InPostgres {
    fn kind(&self) -> &'static str {
        "postgresql"
    }
    async fn open(&self) -> Result<Arc<dyn Backend>, DatabaseError> {
        self.0.open().await
    }
    fn indexes(&self) -> &'static str {
        support::INDEXES
    }
}

annals_projection::conformance_tests!(async { support::database().await.map(InPostgres) });
