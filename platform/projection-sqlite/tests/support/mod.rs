//! What the tests of the suite share.

use annals_projection::{
    backend::{Backend, DatabaseError},
    conformance::TestCatalog,
};
use async_trait::async_trait;
use std::sync::Arc;
use tempfile::TempDir;

/// A catalog in a folder of its own.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl TestCatalog for Folder {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    async fn open(&self) -> Result<Arc<dyn Backend>, DatabaseError> {
        Ok(annals_projection_sqlite::open(&self.0).await.unwrap().backend().clone())
    }

    fn indexes(&self) -> &'static str {
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL"
    }
}
