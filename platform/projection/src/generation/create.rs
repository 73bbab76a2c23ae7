//! Makes the file of an empty generation. It is complete when its control row is there, which is written in the
//! same transaction as the tables.

use crate::{
    ReadModel, Tally,
    error::GenerationError,
    sqlite::{BEGIN_WRITE, CONTROL_TABLE, create_writer, run_script},
};
use annals_event::{LogId, Sequence};
use sqlx::Connection;
use std::path::Path;

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
