//! What a candidate gets when its rows are there.

use crate::{
    connection::{Binds, Session},
    names::Names,
    table::TableSql,
};
use annals_projection::{
    GenerationId,
    backend::{DatabaseError, Schema},
};
use sqlx::PgConnection;
use std::ops::DerefMut;

const THERE: &str = "SELECT FROM pg_indexes WHERE schemaname = $1 AND tablename = $2 AND indexname = $3";

/// Makes the indexes that are not there yet, and brings the statistics up to date.
pub(crate) async fn make_indexes<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
    schema: &Schema,
) -> Result<(), DatabaseError> {
    let place = names.generation(id);
    for table in schema.tables() {
        let sql = TableSql::new(&place, &table.schema);
        for index in sql.indexes() {
            let binds = Binds::new().and(place.as_str()).and(table.schema.name).and(index.name.as_str());
            // `IF NOT EXISTS` would take a table of that name for the index.
            if session.row(THERE.to_owned(), binds).await?.is_none() {
                session.script(index.create).await?;
            }
        }
        session.script(sql.analyze()).await?;
    }
    Ok(())
}
