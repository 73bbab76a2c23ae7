//! A projection with its types erased, and what makes its rows.
//!
//! Two steps that run at the same time on different threads: *decoding* needs no database, *writing* needs no
//! payload. A [`Unit`] is one projection; it decodes. A [`UnitWriter`] belongs to one generation; it writes.

mod check;
mod closures;
mod fold;
mod lookup;
mod sql;

pub use fold::Fold;
pub use lookup::Lookup;
pub(crate) use lookup::Lookups;
pub(crate) use sql::SqlUnit;

use crate::{
    backend::{SchemaTable, Tx},
    error::{EventError, FoldError, ModelError},
    table::TableSchema,
};
use annals_event::{Event, EventBatch, EventRef, Recorded};
use annals_telemetry::Run;
use async_trait::async_trait;
use std::{any::Any, future::poll_fn, pin::pin, sync::Arc, task::Poll};

/// How many rows of a table are remembered between batches.
const ROWS_REMEMBERED_MAX: usize = 65_536;

/// A projection's own form of a batch's events.
pub(crate) type Decoded = Box<dyn Any + Send + Sync>;

/// A projection of any type.
pub(crate) trait Unit: Send + Sync + 'static {
    fn tables(&self) -> Result<Vec<SchemaTable>, ModelError>;
    fn event_types(&self) -> Vec<&'static str>;
    /// The lookups that it asks. They are units of the model themselves, and write each batch before it does.
    fn lookups(&self) -> Vec<Arc<dyn Unit>> {
        Vec::new()
    }
    fn decode(&self, events: &[EventBatch]) -> Result<Decoded, EventError>;
    /// A writer for one generation.
    fn writer(self: Arc<Self>) -> Box<dyn UnitWriter>;
}

/// The open transaction that a batch is written in.
pub(crate) struct Write<'a> {
    pub(crate) tx: &'a mut dyn Tx,
    pub(crate) lookups: &'a mut Lookups,
    /// The read model's name, for spans.
    pub(crate) consumer: &'a str,
    pub(crate) run: Run,
}

/// Writes what a projection decoded.
#[async_trait]
pub(crate) trait UnitWriter: Send {
    /// Folds a batch into the rows; says how many rows were written.
    async fn apply(&mut self, decoded: &Decoded, write: &mut Write<'_>) -> Result<usize, FoldError>;
    /// The transaction was not committed: what is remembered of the rows may be wrong.
    fn reset(&mut self);
}

/// The event, if `E` knows its type.
fn decode_known<E: Event>(event: &EventRef<'_>) -> Result<Option<Recorded<E>>, EventError> {
    let decoded = annals_event::decode::<E>(event);
    let decoded = decoded.map_err(|error| EventError::of_ref(event, error.to_string()))?;
    let recorded = decoded.map(|decoded| Recorded::new(event, decoded)).transpose();
    recorded.map_err(|error| EventError::of_ref(event, error.to_string()))
}

/// A table that the platform makes as its schema says, and nothing else.
fn plain(schema: TableSchema) -> Vec<SchemaTable> {
    vec![SchemaTable { schema, also: "" }]
}

/// How many events there are.
fn count(batches: &[EventBatch]) -> usize {
    batches.iter().map(EventBatch::len).sum()
}

/// Runs code of a projection's author, as [`annals_event::guarded`] does: a panic in it is what is wrong with the event.
/// Nothing of the batch is kept, so nothing half done is seen.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    annals_event::guarded(work).map_err(|panic| panic.to_string())
}

/// The same for code that waits.
async fn guarded_async<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|context| match guarded(|| work.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}
