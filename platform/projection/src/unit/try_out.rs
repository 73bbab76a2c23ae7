use super::TableDefinition;
use crate::{
    error::ModelError,
    sqlite::{GENERATION, run_script},
    table::SEQUENCE_COLUMN,
};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::thread;

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
    GENERATION.create(&mut connection).await.map_err(failed)?;
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
