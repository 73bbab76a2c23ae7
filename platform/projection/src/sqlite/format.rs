//! The formats of the files that the platform makes. What changes one is written in `migrations/README.md`.

use super::run_script;
use sqlx::{Row, SqliteConnection};

/// The tables of a kind of file, and their number, which stands in the file as `PRAGMA user_version`.
pub(crate) struct Format {
    /// 0 stands in a file that is new.
    pub(crate) number: i64,
    script: &'static str,
}

/// The catalog of a data folder.
pub(crate) const CATALOG: Format =
    Format { number: 1, script: include_str!("../../../../migrations/sqlite/catalog/0001_create.sql") };
/// What the file of a generation has besides its rows.
pub(crate) const GENERATION: Format =
    Format { number: 1, script: include_str!("../../../../migrations/sqlite/generation/0001_create.sql") };

impl Format {
    /// Makes the tables in a new file, within the caller's transaction.
    pub(crate) async fn create(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        run_script(connection, self.script).await?;
        run_script(connection, &format!("PRAGMA user_version = {}", self.number)).await
    }
}

/// The number that stands in a file.
pub(crate) async fn read_format(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("PRAGMA user_version").fetch_one(connection).await?.try_get(0)
}
