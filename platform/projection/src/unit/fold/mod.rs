//! A fold of events into the rows of one table, put together from handlers.
//!
//! What always holds:
//!
//! * Key and change are two closures, since keys are needed before the rows are loaded: the rows that a batch touches
//!   are read in one query, changed in memory in the order of the log, and written back in bulk. N events on K rows
//!   cost K row writes.
//! * Each event is decoded once, however many handlers take its Rust type.
//! * The handlers of one event run in the order in which they were added, each on all of its keys before the next.

mod changes;
mod handlers;
mod step;
mod work;
mod writer;

use super::{
    Decoded, Lookup, Unit, UnitWriter,
    check::check_schema,
    closures::{Keys, Outcome},
    count,
    lookup::Asked,
    plain,
};
use crate::{
    backend::SchemaTable,
    error::{EventError, ModelError},
    projection::TableProjection,
    table::{Table, TableKey},
};
use annals_event::{Event, EventBatch, Recorded};
use changes::{changing, creating, deleting, known, updating, upserting};
use handlers::{AnyHandlers, Change, Handler, Handlers, RowKeys};
use std::{any::Any, collections::BTreeSet, fmt, sync::Arc};
use step::{Found, RowKey};
use work::Work;
use writer::RowWriter;

/// How events change the rows of the table `R`: a handler for each event type, with the closure that says which row it
/// is and the one that changes it.
///
/// ```
/// # use annals_derive::{Event, Table};
/// # use annals_event::Recorded;
/// # use annals_projection::Fold;
/// # #[derive(Event)]
/// # #[event(crate = annals_event, type = "order.placed", version = 1)]
/// # struct OrderPlaced { customer: String, cents: i64 }
/// # #[derive(Event)]
/// # #[event(crate = annals_event, type = "order.refunded", version = 1)]
/// # struct OrderRefunded { customer: String, cents: i64 }
/// # #[derive(Event)]
/// # #[event(crate = annals_event, type = "customer.forgotten", version = 1)]
/// # struct CustomerForgotten { customer: String }
/// # #[derive(Clone, PartialEq, Table)]
/// # #[table(crate = annals_projection, name = "customer_value")]
/// # struct CustomerValue { #[table(key)] customer: String, orders: i64, cents: i64 }
/// # impl CustomerValue {
/// #     fn new(e: &OrderPlaced) -> Self { Self { customer: e.customer.clone(), orders: 0, cents: 0 } }
/// #     fn add(&mut self, e: &OrderPlaced) { (self.orders, self.cents) = (self.orders + 1, self.cents + e.cents); }
/// # }
/// fn customer_values() -> Fold<CustomerValue> {
///     Fold::<CustomerValue>::new()
///         .upsert(|e: &Recorded<OrderPlaced>| e.customer.clone(), |e| CustomerValue::new(e), |row, e| row.add(e))
///         .update(|e: &Recorded<OrderRefunded>| e.customer.clone(), |row, e| row.cents -= e.cents)
///         .delete(|e: &Recorded<CustomerForgotten>| e.customer.clone())
/// }
/// ```
///
/// A key closure returns a key, an `Option` of one or a `Vec` of any number; a key that stands there twice counts once. So do the keys that
/// are asked of a lookup; two of them that lead to one row change it twice.
/// A change returns nothing or `Result<(), ApplyError>`. The read model reads the events that its handlers take, of all
/// services, and no others.
///
/// An event type may have several handlers, `update` of two rows for example: all run, in the order in which they were
/// added. A fold is deterministic: no clock, no randomness, no network. A row that is left as it was keeps the sequence
/// number of the event that last changed it; one that gets another key is an error of the event.
#[must_use = "add it to a read model with `table`"]
pub struct Fold<R: Table> {
    handlers: Vec<Arc<dyn AnyHandlers<R>>>,
    /// The event types, each with the handlers that take it.
    types: Vec<(&'static str, usize)>,
    lookups: Vec<Arc<dyn Asked<R::Key>>>,
    added: usize,
}

impl<R: Table> Fold<R> {
    /// A fold without handlers.
    pub fn new() -> Self {
        Self { handlers: Vec::new(), types: Vec::new(), lookups: Vec::new(), added: 0 }
    }

    /// Creates the row with this key. One that is there already is an error of the event.
    pub fn create<E, T, C>(
        self,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
        row: impl Fn(&Recorded<E>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        E: Event,
        T: Keys<R::Key>,
        C: Outcome<R>,
    {
        self.add(known(key), creating(row))
    }

    /// Changes the row with this key. One that is not there is an error of the event.
    pub fn update<E, T, C>(
        self,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
        change: impl Fn(&mut R, &Recorded<E>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        E: Event,
        T: Keys<R::Key>,
        C: Outcome<()>,
    {
        self.add(known(key), updating(change))
    }

    /// Changes the row with this key, which is `first` if it is not there yet.
    pub fn upsert<E, T, N, C>(
        self,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
        first: impl Fn(&Recorded<E>) -> N + Send + Sync + 'static,
        change: impl Fn(&mut R, &Recorded<E>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        E: Event,
        T: Keys<R::Key>,
        N: Outcome<R>,
        C: Outcome<()>,
    {
        self.add(known(key), upserting(move |_: &R::Key, event: &Recorded<E>| first(event), change))
    }

    /// Deletes the row with this key, if it is there.
    pub fn delete<E, T>(self, key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static) -> Self
    where
        E: Event,
        T: Keys<R::Key>,
    {
        self.add(known(key), deleting())
    }

    /// Does anything to the row with this key. `None` is a row that is not there: setting it creates the row, taking it
    /// deletes the row.
    pub fn on<E, T, C>(
        self,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
        change: impl Fn(&mut Option<R>, &R::Key, &Recorded<E>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        E: Event,
        T: Keys<R::Key>,
        C: Outcome<()>,
    {
        self.add(known(key), changing(change))
    }

    /// [`update`](Self::update) of the row whose key `lookup` has for what the key closure returns.
    pub fn update_via<L, E, T, C>(
        mut self,
        lookup: &Lookup<L, R::Key>,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
        change: impl Fn(&mut R, &Recorded<E>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        L: TableKey,
        E: Event,
        T: Keys<L>,
        C: Outcome<()>,
    {
        let keys = self.asked(lookup, key);
        self.add(keys, updating(change))
    }

    /// [`upsert`](Self::upsert) of the row whose key `lookup` has for what the key closure returns.
    pub fn upsert_via<L, E, T, N, C>(
        mut self,
        lookup: &Lookup<L, R::Key>,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
        first: impl Fn(&R::Key, &Recorded<E>) -> N + Send + Sync + 'static,
        change: impl Fn(&mut R, &Recorded<E>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        L: TableKey,
        E: Event,
        T: Keys<L>,
        N: Outcome<R>,
        C: Outcome<()>,
    {
        let keys = self.asked(lookup, key);
        self.add(keys, upserting(first, change))
    }

    /// [`delete`](Self::delete) of the row whose key `lookup` has for what the key closure returns.
    pub fn delete_via<L, E, T>(
        mut self,
        lookup: &Lookup<L, R::Key>,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
    ) -> Self
    where
        L: TableKey,
        E: Event,
        T: Keys<L>,
    {
        let keys = self.asked(lookup, key);
        self.add(keys, deleting())
    }

    /// [`on`](Self::on) of the row whose key `lookup` has for what the key closure returns.
    pub fn on_via<L, E, T, C>(
        mut self,
        lookup: &Lookup<L, R::Key>,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
        change: impl Fn(&mut Option<R>, &R::Key, &Recorded<E>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        L: TableKey,
        E: Event,
        T: Keys<L>,
        C: Outcome<()>,
    {
        let keys = self.asked(lookup, key);
        self.add(keys, changing(change))
    }

    /// The fold of a projection.
    pub(crate) fn of<P: TableProjection<Row = R>>(projection: P) -> Self {
        let projection = Arc::new(projection);
        let keyed = projection.clone();
        Self::new().on(
            move |event: &Recorded<P::Event>| -> Vec<R::Key> { keyed.keys(event) },
            move |row, key, event| projection.fold(row, key, event),
        )
    }

    fn add<E: Event>(mut self, keys: RowKeys<R::Key, E>, change: Change<R, E>) -> Self {
        let handler = Handler { place: self.added, keys, change };
        self.added += 1;
        let mut unshared = self.handlers.iter_mut().filter_map(Arc::get_mut);
        match unshared.find_map(|any| (any as &mut dyn Any).downcast_mut::<Handlers<R, E>>()) {
            Some(handlers) => handlers.0.push(handler),
            None => {
                let at = self.handlers.len();
                self.types.extend(E::TYPES.iter().map(|(name, _)| (*name, at)));
                self.handlers.push(Arc::new(Handlers(vec![handler])));
            }
        }
        self
    }

    /// The keys that a lookup has for those that the closure returns.
    fn asked<L, E, T>(
        &mut self,
        lookup: &Lookup<L, R::Key>,
        key: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static,
    ) -> RowKeys<R::Key, E>
    where
        L: TableKey,
        E: Event,
        T: Keys<L>,
    {
        let at = self.lookups.len();
        self.lookups.push(lookup.asked());
        Box::new(move |event, found| {
            let Found { keys, questions } = found;
            let Some(questions) = questions.get_mut(at).and_then(Lookup::questions) else { return };
            key(event).each(|key| {
                let question = questions.ask(event.sequence, key);
                keys.push(RowKey::Asked { lookup: at, question });
            });
        })
    }
}

impl<R: Table> Default for Fold<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Table> fmt::Debug for Fold<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types: BTreeSet<_> = self.types.iter().map(|(name, _)| name).collect();
        write!(f, "Fold({} of {types:?})", R::SCHEMA.name)
    }
}

impl<R: Table> Unit for Fold<R> {
    fn tables(&self) -> Result<Vec<SchemaTable>, ModelError> {
        let schema = R::SCHEMA;
        check_schema(&schema)?;
        if self.handlers.is_empty() {
            return Err(ModelError::NoHandler(schema.name.to_owned()));
        }
        Ok(plain(schema))
    }

    fn event_types(&self) -> Vec<&'static str> {
        self.types.iter().map(|(name, _)| *name).collect()
    }

    fn lookups(&self) -> Vec<Arc<dyn Unit>> {
        self.lookups.iter().map(|lookup| lookup.clone() as Arc<dyn Unit>).collect()
    }

    fn decode(&self, batches: &[EventBatch]) -> Result<Decoded, EventError> {
        let events = count(batches);
        let room = events.checked_div(self.handlers.len()).unwrap_or(0);
        let columns = self.handlers.iter().map(|handlers| handlers.clone().column(room)).collect();
        let questions = self.lookups.iter().map(|lookup| lookup.clone().questions()).collect();
        let mut work = Work::<R>::new(columns, Found { keys: Vec::new(), questions }, events);
        for event in batches.iter().flat_map(EventBatch::iter) {
            let known = self.types.iter().filter(|(known, _)| *known == event.event_type());
            work.push(&event, known.map(|(_, column)| *column))?;
        }
        Ok(Box::new(work))
    }

    fn writer(self: Arc<Self>) -> Box<dyn UnitWriter> {
        Box::new(RowWriter::<R>::new())
    }
}
