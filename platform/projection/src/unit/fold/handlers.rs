//! The handlers of one event type, and a batch's events of that type.

use super::step::{Found, Step};
use crate::{
    error::{EventError, FoldError},
    projection::ApplyError,
    table::Table,
    unit::{decode_known, guarded},
};
use annals_event::{Event, EventRef, Recorded};
use annals_telemetry::{Run, process_span};
use std::{any::Any, sync::Arc};
use tracing::Span;

/// Puts the keys of an event's rows into what the batch has of them.
pub(super) type RowKeys<K, E> = Box<dyn Fn(&Recorded<E>, &mut Found<K>) + Send + Sync>;
/// Changes one row.
pub(super) type Change<R, E> =
    Box<dyn Fn(&mut Option<R>, &<R as Table>::Key, &Recorded<E>) -> Result<(), ApplyError> + Send + Sync>;

/// What an event of type `E` does to the rows.
pub(super) struct Handler<R: Table, E> {
    /// Its place among all handlers of the fold.
    pub(super) place: usize,
    pub(super) keys: RowKeys<R::Key, E>,
    pub(super) change: Change<R, E>,
}

/// All handlers of a fold that take an `E`.
pub(super) struct Handlers<R: Table, E>(pub(super) Vec<Handler<R, E>>);

/// The same for any `E`.
pub(super) trait AnyHandlers<R: Table>: Any + Send + Sync {
    /// Room for the events of a batch that has about so many of them.
    fn column(self: Arc<Self>, events: usize) -> Box<dyn Column<R>>;
}

/// A batch's events of one type.
pub(super) trait Column<R: Table>: Send + Sync {
    /// Decodes the event and adds its steps; `column` is this one's place in the batch.
    fn push(
        &mut self,
        event: &EventRef<'_>,
        column: usize,
        found: &mut Found<R::Key>,
        steps: &mut Vec<Step<R::Key>>,
    ) -> Result<(), EventError>;
    /// Lets the step change its row.
    fn change(&self, step: &Step<R::Key>, row: &mut Option<R>, key: &R::Key) -> Result<(), FoldError>;
    /// The span of handling the step's event.
    fn span(&self, step: &Step<R::Key>, consumer: &str, run: Run) -> Span;
    /// What is wrong with the step's event.
    fn unfit(&self, step: &Step<R::Key>, reason: String) -> Option<EventError>;
}

struct Events<R: Table, E> {
    handlers: Arc<Handlers<R, E>>,
    events: Vec<Recorded<E>>,
}

impl<R: Table, E: Event> AnyHandlers<R> for Handlers<R, E> {
    fn column(self: Arc<Self>, events: usize) -> Box<dyn Column<R>> {
        Box::new(Events { handlers: self, events: Vec::with_capacity(events) })
    }
}

impl<R: Table, E: Event> Column<R> for Events<R, E> {
    fn push(
        &mut self,
        event: &EventRef<'_>,
        column: usize,
        found: &mut Found<R::Key>,
        steps: &mut Vec<Step<R::Key>>,
    ) -> Result<(), EventError> {
        let Some(event) = decode_known::<E>(event)? else { return Ok(()) };
        let (at, sequence) = (self.events.len(), event.sequence);
        for (index, handler) in self.handlers.0.iter().enumerate() {
            let keyed = guarded(|| (handler.keys)(&event, found));
            keyed.map_err(|reason| EventError::of(&event, reason))?;
            let place = handler.place;
            let step = |key| Step { sequence, column, at, handler: index, place, key };
            steps.extend(found.keys.drain(..).map(step));
        }
        self.events.push(event);
        Ok(())
    }

    fn change(&self, step: &Step<R::Key>, row: &mut Option<R>, key: &R::Key) -> Result<(), FoldError> {
        let (Some(event), Some(handler)) = (self.events.get(step.at), self.handlers.0.get(step.handler))
        else {
            return Ok(());
        };
        let changed = guarded(|| (handler.change)(row, key, event));
        let changed = changed.unwrap_or_else(|panic| Err(ApplyError::new(panic)));
        changed.map_err(|error| EventError::from_apply(event, error))
    }

    fn span(&self, step: &Step<R::Key>, consumer: &str, run: Run) -> Span {
        self.events.get(step.at).map_or_else(Span::none, |event| process_span(consumer, event, run))
    }

    fn unfit(&self, step: &Step<R::Key>, reason: String) -> Option<EventError> {
        self.events.get(step.at).map(|event| EventError::of(event, reason))
    }
}
