//! Makes the file of an empty generation. It is complete when its control row is there, which is written in the
//! same transaction as the tables.

use super::GenerationError;
use crate::{
    ReadModel, SEQUENCE_COLUMN, Tally,
    sqlite::{BEGIN_WRITE, create_writer, run_script},
};
use annals_event::{LogId, Sequence};
use sqlx::{Connection, Row, SqliteConnection};
use std::path::Path;

const CONTROL_TABLE: &str = include_str!("../../../../migrations/sqlite/0002_generation.sql");

const INSERT: &str = "INSERT INTO annals_control (one, model, schema_hash, fold_version, filter_hash, log_id,
    base_sequence, sequence, chain, epoch, applied_count, applied_sum, parked_count, parked_sum)
    VALUES (1, ?, ?, ?, ?, ?, 0, 0, NULL, 0, 0, ?, 0, ?)";

/// Creates the file of a generation without rows, to be folded from the start of the log.
pub(crate) async fn create(path: &Path, model: &ReadModel, log_id: LogId) -> Result<(), GenerationError> {
    let mut connection = create_writer(path).await?;
    let mut transaction = connection.begin_with(BEGIN_WRITE).await?;
    run_script(&mut transaction, CONTROL_TABLE).await?;
    for table in model.tables() {
        run_script(&mut transaction, &table.ddl).await?;
        check_table(&mut transaction, &table.name).await?;
    }
    let none = Tally::NONE.sum_bytes();
    sqlx::query(INSERT)
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .bind(model.fold_version().get())
        .bind(model.filter_hash())
        .bind(log_id.to_string())
        .bind(&none)
        .bind(&none)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}

/// Checks that a table has what comparing and explaining rows needs.
async fn check_table(connection: &mut SqliteConnection, table: &str) -> Result<(), GenerationError> {
    let columns = sqlx::query("SELECT name, type, pk FROM pragma_table_info(?)").bind(table);
    let columns = columns.fetch_all(connection).await?;
    let (mut sequence, mut key) = (false, false);
    for column in &columns {
        let (name, kind): (&str, &str) = (column.try_get(0)?, column.try_get(1)?);
        sequence |= name == SEQUENCE_COLUMN && kind.eq_ignore_ascii_case("INTEGER");
        key |= column.try_get::<i64, _>(2)? > 0;
    }
    let reason = if columns.is_empty() {
        "its DDL creates no table of this name"
    } else if !key {
        "it has no PRIMARY KEY; add one, so that two generations can be compared row by row"
    } else if !sequence {
        "it has no column `annals_sequence INTEGER NOT NULL`; add it, and set it to the event's sequence number in \
         every row that the event changes"
    } else {
        return Ok(());
    };
    Err(GenerationError::Table { table: table.to_owned(), reason: reason.to_owned() })
}

const ADOPT: &str = "UPDATE annals_control SET fold_version = ? WHERE one = 1";
const COUNT_ANEW: &str =
    "UPDATE annals_control SET base_sequence = sequence, applied_count = 0, applied_sum = ?,
    parked_count = 0, parked_sum = ? WHERE one = 1 AND base_sequence + 1 < ?";

/// Makes a restored generation one that `model`'s fold continues: its rows count as made by it. The caller has
/// checked tables, log and events.
///
/// `first` is the first sequence number that is still in the log. When its counts go back behind it nobody can check
/// them any more, so they begin anew at its checkpoint.
pub(crate) async fn adopt(path: &Path, model: &ReadModel, first: Sequence) -> Result<(), GenerationError> {
    let mut connection = create_writer(path).await?;
    let mut transaction = connection.begin_with(BEGIN_WRITE).await?;
    sqlx::query(ADOPT).bind(model.fold_version().get()).execute(&mut *transaction).await?;
    let none = Tally::NONE.sum_bytes();
    let first = i64::try_from(first.get()).unwrap_or(i64::MAX);
    sqlx::query(COUNT_ANEW).bind(&none).bind(&none).bind(first).execute(&mut *transaction).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}
