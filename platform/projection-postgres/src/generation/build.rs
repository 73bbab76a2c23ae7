//! Making a generation: one transaction, in a schema that nobody else sees before it ends.

use super::Home;
use crate::{
    catalog,
    connection::{Begin, Own, Session},
    table::{TableSql, encode},
    views,
};
use annals_projection::{
    TableSchema,
    backend::{
        Batch, Build, DatabaseError, GenerationSpec, GenerationState, Purpose, SchemaTable, crash_point,
        quoted,
    },
};
use async_trait::async_trait;
use tracing::warn;

/// A generation that is being made.
struct PgBuild {
    home: Home,
    spec: GenerationSpec,
    session: Session<Own>,
    /// The schema's name until it is finished.
    place: String,
    /// `None`: no views will show it.
    number: Option<i32>,
}

/// Begins to make a generation; `None`: it is there already, or was retired.
pub(crate) async fn create(
    home: &Home,
    spec: &GenerationSpec,
) -> Result<Option<Box<dyn Build>>, DatabaseError> {
    if spec.purpose == Purpose::Scratch {
        sweep(home).await;
    }
    if !list(home, spec).await? {
        return Ok(None);
    }
    let mut session = home.connections.own().await?;
    let place = home.names.attempt();
    session.begin(Begin::durable().long().within(&place)).await?;
    let number = match home.views || views::are_there(&mut session, &home.names, &spec.slot).await? {
        true => Some(catalog::number(&mut session, &home.names, spec.id).await?),
        false => None,
    };
    session.script(format!("CREATE SCHEMA {}", quoted(&place))).await?;
    for SchemaTable { schema, also } in spec.schema.tables() {
        let create = TableSql::new(&place, schema).create(number);
        session.script(if also.is_empty() { create } else { format!("{create}; {also}") }).await?;
    }
    Ok(Some(Box::new(PgBuild { home: home.clone(), spec: spec.clone(), session, place, number })))
}

/// Lists the generation as one that is being made; `false`: it is there already, or was retired.
async fn list(home: &Home, spec: &GenerationSpec) -> Result<bool, DatabaseError> {
    let Home { connections, names, .. } = home;
    let mut session = connections.transaction(Begin::durable()).await?;
    catalog::begin(&mut session, names, spec).await?;
    match catalog::state(&mut session, names, &spec.slot, spec.id).await? {
        Some(GenerationState::Creating) => session.commit().await.map(|()| true),
        Some(GenerationState::Ready | GenerationState::Retired) => Ok(false),
        None => {
            let id = spec.id;
            Err(DatabaseError::denied(format!(
                "generation {id} belongs to another read model, or to other tables"
            )))
        }
    }
}

/// Removes scratch generations whose makers are gone. What cannot be removed now is removed the next time.
async fn sweep(home: &Home) {
    let swept = async {
        let Home { connections, names, .. } = home;
        let mut session = connections.transaction(Begin::durable().exclusive()).await?;
        for id in catalog::stale_scratch(&mut session, names).await? {
            catalog::remove(&mut session, names, id).await?;
        }
        session.commit().await
    };
    if let Err(error) = swept.await {
        warn!(%error, "old scratch generations were not removed");
    }
}

#[async_trait]
impl Build for PgBuild {
    async fn write(&mut self, table: &TableSchema, rows: Batch) -> Result<(), DatabaseError> {
        if rows.is_empty() {
            return Ok(());
        }
        let copy = TableSql::new(&self.place, table).copy();
        self.session.copy(&copy, encode(table, rows)?).await
    }

    async fn finish(mut self: Box<Self>) -> Result<(), DatabaseError> {
        self.indexes().await?;
        let Self { home, spec, mut session, place, number } = *self;
        let names = &home.names;
        if !catalog::finish(&mut session, names, spec.id).await? {
            return session.roll_back().await;
        }
        catalog::insert(&mut session, names, spec.id, &spec.status).await?;
        let (from, to) = (quoted(&place), quoted(&names.generation(spec.id)));
        session.script(format!("ALTER SCHEMA {from} RENAME TO {to}")).await?;
        if let Some(number) = number {
            views::attach(&mut session, names, &spec, number).await?;
        }
        session.commit().await?;
        if number.is_some() {
            session.begin(Begin::durable()).await?;
            views::attached(&mut session, names, spec.id).await?;
            session.commit().await?;
        }
        crash_point("generation-created")?;
        home.changes.changed();
        Ok(())
    }
}

impl PgBuild {
    /// Makes the indexes that are made at once, and brings statistics up to date.
    async fn indexes(&mut self) -> Result<(), DatabaseError> {
        for SchemaTable { schema, .. } in self.spec.schema.tables() {
            let table = TableSql::new(&self.place, schema);
            if self.spec.purpose != Purpose::Candidate {
                for index in table.indexes() {
                    self.session.script(index.create).await?;
                }
            }
            self.session.script(table.analyze()).await?;
        }
        Ok(())
    }
}
