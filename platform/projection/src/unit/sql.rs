use super::{Decoded, TableDefinition, Unit, UnitWriter, Write, count, decode_known, guarded_async};
use crate::{
    ApplyError, SqlProjection, SqlTransaction,
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
    fn tables(&self) -> Result<Vec<TableDefinition>, ModelError> {
        let definition =
            |table: crate::SqlTable| TableDefinition { name: table.name.into(), ddl: table.ddl.into() };
        Ok(self.0.tables().into_iter().map(definition).collect())
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

#[async_trait]
impl<P: SqlProjection> UnitWriter for SqlWriter<P> {
    async fn apply(&mut self, decoded: &Decoded, write: &mut Write<'_>) -> Result<usize, FoldError> {
        let Some(events) = decoded.downcast_ref::<Vec<Recorded<P::Event>>>() else {
            return Ok(0);
        };
        for event in events {
            let span = process_span(write.consumer, event, write.run);
            let mut transaction = SqlTransaction::new(write.connection);
            let applied = guarded_async(self.0.0.apply(event, &mut transaction)).instrument(span).await;
            let applied = applied.unwrap_or_else(|panic| Err(ApplyError::new(panic)));
            applied.map_err(|error| EventError::from_apply(event, error))?;
        }
        Ok(events.len())
    }

    fn reset(&mut self) {}
}
