use super::{Decoded, Unit, UnitWriter, Write, check::check_schema, count, decode_known, guarded_async};
use crate::{
    ApplyError, Database, SqlProjection,
    backend::{DatabaseError, SchemaTable},
    error::{EventError, FoldError, ModelError},
};
use annals_event::{Event, EventBatch, Recorded};
use annals_telemetry::process_span;
use async_trait::async_trait;
use std::sync::Arc;
use tracing::Instrument;

/// An SQL projection with its types erased.
pub(crate) struct SqlUnit<P>(P);

impl<P: SqlProjection> SqlUnit<P> {
    pub(crate) fn new(projection: P) -> Self {
        Self(projection)
    }
}

impl<P: SqlProjection> Unit for SqlUnit<P> {
    fn tables(&self) -> Result<Vec<SchemaTable>, ModelError> {
        let tables = self.0.tables();
        tables.iter().try_for_each(|table| check_schema(&table.schema))?;
        Ok(tables.into_iter().map(|table| SchemaTable { schema: table.schema, also: table.also }).collect())
    }

    fn event_types(&self) -> Vec<&'static str> {
        P::Event::TYPES.iter().map(|(name, _)| *name).collect()
    }

    fn decode(&self, events: &[EventBatch]) -> Result<Decoded, EventError> {
        let mut known = Vec::with_capacity(count(events));
        for event in events.iter().flat_map(EventBatch::iter) {
            known.extend(decode_known::<P::Event>(&event)?);
        }
        Ok(Box::new(known))
    }

    fn writer(self: Arc<Self>) -> Box<dyn UnitWriter> {
        Box::new(SqlWriter(self))
    }
}

struct SqlWriter<P>(Arc<SqlUnit<P>>);

type Connection<P> = <<P as SqlProjection>::Database as Database>::Connection;

#[async_trait]
impl<P: SqlProjection> UnitWriter for SqlWriter<P> {
    async fn apply(&mut self, decoded: &Decoded, write: &mut Write<'_>) -> Result<usize, FoldError> {
        let Some(events) = decoded.downcast_ref::<Vec<Recorded<P::Event>>>() else {
            return Ok(0);
        };
        let Some(connection) = write.tx.native().downcast_mut::<Connection<P>>() else {
            let wanted = <P::Database as Database>::KIND;
            return Err(DatabaseError::denied(format!(
                "an SQL projection of the read model writes {wanted}, and this catalog is another database"
            ))
            .into());
        };
        for event in events {
            let span = process_span(write.consumer, event, write.run);
            let applied = guarded_async(self.0.0.apply(event, connection)).instrument(span).await;
            let applied = applied.map_err(ApplyError::new).and_then(|applied| applied.map_err(Into::into));
            applied.map_err(|error| EventError::from_apply(event, error))?;
        }
        Ok(events.len())
    }

    fn reset(&mut self) {}
}
