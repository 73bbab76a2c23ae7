//! Makes the file of an empty generation. It is complete when its control row is there, which is written in the
//! same transaction as the tables.

use super::GenerationError;
use crate::{
    ModelError, ReadModel, SEQUENCE_COLUMN, Tally,
    fold::TableDefinition,
    sqlite::{BEGIN_WRITE, create_writer, run_script},
};
use annals_event::{LogId, Sequence};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{path::Path, thread};

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

/// Makes the tables in a database that goes away at once, and checks that each has what comparing and explaining rows
/// needs: a read model that cannot be folded is refused where it is put together.
pub(crate) fn try_out(tables: &[TableDefinition]) -> Result<(), ModelError> {
    let failed = |reason: String| ModelError::NotTriedOut { reason };
    let on_a_thread_of_its_own = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.map_err(|error| failed(error.to_string()))?.block_on(make_and_check(tables))
    };
    // The caller may be asynchronous itself, and must not wait for another runtime on its own thread.
    let tried = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, on_a_thread_of_its_own);
        thread.map_err(|error| failed(error.to_string())).map(|thread| thread.join())
    })?;
    tried.unwrap_or_else(|_| Err(failed("its thread panicked".to_owned())))
}

async fn make_and_check(tables: &[TableDefinition]) -> Result<(), ModelError> {
    let failed = |error: sqlx::Error| ModelError::NotTriedOut { reason: error.to_string() };
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.map_err(failed)?;
    run_script(&mut connection, CONTROL_TABLE).await.map_err(failed)?;
    for TableDefinition { name, ddl } in tables {
        let refused = |error: sqlx::Error| ModelError::Ddl { table: name.clone(), reason: error.to_string() };
        run_script(&mut connection, ddl).await.map_err(refused)?;
        let columns = sqlx::query_as("SELECT name, type, pk FROM pragma_table_info(?)").bind(name);
        let columns: Vec<(String, String, i64)> = columns.fetch_all(&mut connection).await.map_err(failed)?;
        let is_sequence =
            |name: &str, kind: &str| name == SEQUENCE_COLUMN && kind.eq_ignore_ascii_case("INTEGER");
        if columns.is_empty() {
            let reason = "it creates no table of this name".to_owned();
            return Err(ModelError::Ddl { table: name.clone(), reason });
        } else if !columns.iter().any(|(.., key)| *key > 0) {
            return Err(ModelError::NoPrimaryKey(name.clone()));
        } else if !columns.iter().any(|(name, kind, _)| is_sequence(name, kind)) {
            return Err(ModelError::NoSequenceColumn(name.clone()));
        }
    }
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
