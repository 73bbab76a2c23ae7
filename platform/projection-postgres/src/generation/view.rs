//! A view: a transaction that reads one snapshot.

use super::{Home, rows};
use crate::{
    catalog::{self, Controlled, Find},
    connection::{Begin, Binds, Session, Shared},
    table::{batch, kind_letter, push_value},
};
use annals_projection::{
    ColumnKind, GenerationId, TableSchema, Value,
    backend::{Batch, DatabaseError, GenerationStatus, Slot, Target, View},
};
use async_trait::async_trait;
use std::any::Any;

struct PgView {
    place: String,
    viewed: Controlled,
    session: Session<Shared>,
}

/// A view of one generation. The statement that finds it fixes the snapshot and reads the pointer in it.
pub(crate) async fn view(home: &Home, of: &Slot, what: Target) -> Result<Box<dyn View>, DatabaseError> {
    let mut session = home.connections.transaction(Begin::view()).await?;
    let find = Find { slot: of, target: what, lock: false };
    let viewed = catalog::find(&mut session, &home.names, find).await?;
    Ok(Box::new(PgView { place: home.names.generation(viewed.id), viewed, session }))
}

#[async_trait]
impl View for PgView {
    fn generation(&self) -> GenerationId {
        self.viewed.id
    }

    fn status(&self) -> &GenerationStatus {
        &self.viewed.status
    }

    async fn get(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError> {
        rows::load(&mut self.session, &self.place, table, &keys).await
    }

    async fn query(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        wanted: &[ColumnKind],
        rows_max: usize,
    ) -> Result<Batch, DatabaseError> {
        let mut binds = Binds::new();
        for value in &values {
            push_value(&mut binds, value)?;
        }
        binds.push(i64::try_from(rows_max).unwrap_or(i64::MAX));
        let rows = self.session.rows(self.bounded(sql, &values), binds).await?;
        batch(&rows, wanted)
    }

    fn native(&mut self) -> &mut (dyn Any + Send) {
        self.session.native()
    }
}

impl PgView {
    /// `sql` as part of a statement that finds a bounded number of rows: what is no question cannot stand there.
    ///
    /// A prepared statement is known by its text, and keeps the tables and the types of parameters that it was prepared with. So
    /// both are part of the text.
    fn bounded(&self, sql: &str, values: &[Value]) -> String {
        let kinds: String = values.iter().map(kind_letter).collect();
        let (place, limit) = (&self.place, values.len() + 1);
        format!("/* {place} {kinds} */ SELECT * FROM (\n{sql}\n) AS annals_found LIMIT ${limit}")
    }
}
