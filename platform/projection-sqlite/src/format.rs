//! The formats of the files that the platform makes. What changes one is written in `migrations/README.md`.

use crate::{failure::failure, statements::run_script};
use annals_projection::{DatabaseError, SchemaHash};
use sqlx::{Row, SqliteConnection};

/// The tables of a kind of file, and their number, which stands in the file as `PRAGMA user_version`.
pub(crate) struct Format {
    /// 0 stands in a file that is new.
    pub(crate) number: i64,
    script: &'static str,
}

/// The catalog of a data folder.
pub(crate) const CATALOG: Format =
    Format { number: 1, script: include_str!("../../../migrations/sqlite/catalog/0001_create.sql") };
/// What the file of a generation has besides its rows.
pub(crate) const GENERATION: Format =
    Format { number: 1, script: include_str!("../../../migrations/sqlite/generation/0001_create.sql") };

impl Format {
    /// Makes the tables in a new file, within the caller's transaction.
    pub(crate) async fn create(&self, connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
        run_script(connection, self.script).await?;
        run_script(connection, &format!("PRAGMA user_version = {}", self.number)).await
    }
}

/// What the catalog calls the tables of a generation: their hash, and the format of its file from 2 on. Releases whose files differ
/// share no generation.
pub(crate) fn stored_hash(schema: &SchemaHash, format: &Format) -> String {
    if format.number == 1 { schema.to_string() } else { format!("{schema}.{}", format.number) }
}

/// The number that stands in a file.
pub(crate) async fn read_format(connection: &mut SqliteConnection) -> Result<i64, DatabaseError> {
    let row = sqlx::query("PRAGMA user_version").fetch_one(connection).await.map_err(failure)?;
    row.try_get(0).map_err(failure)
}

/// Refuses a file of another format than the one that is known.
pub(crate) fn check_format(place: impl ToString, found: i64, known: i64) -> Result<(), DatabaseError> {
    if found == known {
        Ok(())
    } else {
        Err(DatabaseError::Format { place: place.to_string(), found, known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_two_formats_have_two_pointers() {
        let schema = SchemaHash::from_text("3d71c1b1da64c3e6dc39d5c1ddd4f4dc".to_owned());
        let hashes = [1, 2, 3].map(|number| stored_hash(&schema, &Format { number, script: "" }));
        let [first, second, third] = &hashes;
        assert_eq!(*first, schema.to_string(), "it is the one that was always stored");
        assert!(first != second && second != third);
    }
}
