//! A small table of the read model that tells events which row they are about.
//!
//! What always holds:
//!
//! * It is written once: a key keeps its value, and another value for it is an error of the event.
//! * An event sees what it and the events before it made the lookup remember, in this batch or an earlier one, and nothing of
//!   later ones: how the log is cut into batches changes no answer.
//! * It is a table of the generation like any other: in the schema, in its transactions, snapshots and comparisons.

mod cache;
mod questions;
mod writer;

pub(crate) use cache::Lookups;
pub(super) use questions::{Questions, Unanswered};

use super::{Decoded, Unit, UnitWriter, closures::Keys, count, decode_known, guarded, plain};
use crate::{
    backend::SchemaTable,
    error::{EventError, ModelError},
    identifier::check_identifier,
    table::{Column, TableKey, TableSchema},
    value::{ColumnKind, Value},
};
use annals_event::{Event, EventBatch, EventRef, Recorded};
use questions::QuestionsOf;
use std::{any::Any, fmt, marker::PhantomData, sync::Arc};
use writer::{Entry, LookupWriter};

/// Remembers the value of each key from the events that have both, for the folds of events that have only the key.
///
/// ```
/// # use annals_derive::{Event, Table};
/// # use annals_event::Recorded;
/// # use annals_projection::{Fold, Lookup};
/// # #[derive(Event)]
/// # #[event(crate = annals_event, type = "order.placed", version = 1)]
/// # struct OrderPlaced { order: String, customer: String }
/// # #[derive(Event)]
/// # #[event(crate = annals_event, type = "payment.captured", version = 1)]
/// # struct PaymentCaptured { order: String, cents: i64 }
/// # #[derive(Clone, PartialEq, Table)]
/// # #[table(crate = annals_projection, name = "customer_value")]
/// # struct CustomerValue { #[table(key)] customer: String, cents: i64 }
/// # fn customer_values() -> Fold<CustomerValue> {
/// let customer_of = Lookup::<String, String>::named("customer_of_order")
///     .remember(|e: &Recorded<OrderPlaced>| (e.order.clone(), e.customer.clone()));
/// Fold::<CustomerValue>::new()
///     .update_via(&customer_of, |e: &Recorded<PaymentCaptured>| e.order.clone(), |row, e| row.cents += e.cents)
/// # }
/// ```
///
/// It is a table of the read model with this name. A key keeps its value: a second other one is an error of the event, and
/// so is a key that the lookup does not have. Several folds of a read model may ask one lookup: make it once and pass it to
/// each.
pub struct Lookup<K, V>(Arc<Memory<K, V>>);

struct Memory<K, V> {
    name: &'static str,
    remembers: Vec<Remember<K, V>>,
}

/// What is remembered of the events of one type.
struct Remember<K, V> {
    types: &'static [(&'static str, u32)],
    entries: Arc<Entries<K, V>>,
}

type Entries<K, V> = dyn Fn(&EventRef<'_>, &mut Vec<Entry<K, V>>) -> Result<(), EventError> + Send + Sync;

/// A lookup as the folds see that ask it for values.
pub(super) trait Asked<V>: Unit {
    /// Room for a batch's questions.
    fn questions(self: Arc<Self>) -> Box<dyn Questions<V>>;
}

impl<K: TableKey, V: TableKey> Lookup<K, V> {
    /// A lookup that remembers nothing yet; its table has this name.
    pub fn named(name: &'static str) -> Self {
        Self(Arc::new(Memory { name, remembers: Vec::new() }))
    }

    /// Remembers the key and the value that the closure returns: one pair, an `Option` of one or a `Vec` of any number.
    #[must_use]
    pub fn remember<E, T>(self, pair: impl Fn(&Recorded<E>) -> T + Send + Sync + 'static) -> Self
    where
        E: Event,
        T: Keys<(K, V)>,
    {
        let entries = move |event: &EventRef<'_>, entries: &mut Vec<Entry<K, V>>| {
            let Some(event) = decode_known::<E>(event)? else { return Ok(()) };
            let take = |(key, value)| entries.push(Entry::new(&event, key, value));
            guarded(|| pair(&event).each(take)).map_err(|reason| EventError::of(&event, reason))
        };
        let mut memory = Arc::unwrap_or_clone(self.0);
        memory.remembers.push(Remember { types: E::TYPES, entries: Arc::new(entries) });
        Self(Arc::new(memory))
    }

    pub(super) fn asked(&self) -> Arc<dyn Asked<V>> {
        self.0.clone()
    }

    /// The questions to this lookup.
    pub(super) fn questions(any: &mut Box<dyn Questions<V>>) -> Option<&mut QuestionsOf<K, V>> {
        (&mut **any as &mut dyn Any).downcast_mut()
    }
}

impl<K: TableKey, V: TableKey> Asked<V> for Memory<K, V> {
    fn questions(self: Arc<Self>) -> Box<dyn Questions<V>> {
        Box::new(QuestionsOf::<K, V>::of(self.name))
    }
}

impl<K: TableKey, V: TableKey> Unit for Memory<K, V> {
    fn tables(&self) -> Result<Vec<SchemaTable>, ModelError> {
        check_identifier("lookup", self.name)?;
        if self.remembers.is_empty() {
            return Err(ModelError::NothingRemembered(self.name.to_owned()));
        }
        Ok(plain(Columns::<K, V>::schema(self.name)))
    }

    fn event_types(&self) -> Vec<&'static str> {
        self.remembers.iter().flat_map(|remember| remember.types).map(|(name, _)| *name).collect()
    }

    fn decode(&self, batches: &[EventBatch]) -> Result<Decoded, EventError> {
        let mut entries = Vec::with_capacity(count(batches));
        for event in batches.iter().flat_map(EventBatch::iter) {
            let knows = |remember: &&Remember<K, V>| {
                remember.types.iter().any(|(known, _)| *known == event.event_type())
            };
            for remember in self.remembers.iter().filter(knows) {
                (remember.entries)(&event, &mut entries)?;
            }
        }
        Ok(Box::new(entries))
    }

    fn writer(self: Arc<Self>) -> Box<dyn UnitWriter> {
        Box::new(LookupWriter::<K, V>::of(self.name))
    }
}

/// The columns of a lookup's table.
struct Columns<K, V>(PhantomData<(K, V)>);

const KEY_COLUMNS: [&str; 4] = ["key", "key_2", "key_3", "key_4"];
const VALUE_COLUMNS: [&str; 4] = ["value", "value_2", "value_3", "value_4"];

impl<K: TableKey, V: TableKey> Columns<K, V> {
    const ROOM: &'static [Column; 8] = &columns(K::KINDS, V::KINDS);
    const ALL: &'static [Column] = Self::ROOM.split_at(K::KINDS.len() + V::KINDS.len()).0;

    fn schema(name: &'static str) -> TableSchema {
        TableSchema { name, columns: Self::ALL, indexes: &[] }
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when it is compiled: a key of more columns does not compile"
)]
const fn columns(keys: &[ColumnKind], values: &[ColumnKind]) -> [Column; 8] {
    let mut columns = [Column { name: "", kind: ColumnKind::Integer, nullable: false, key: false }; 8];
    let mut at = 0;
    while at < keys.len() {
        columns[at] = Column { name: KEY_COLUMNS[at], kind: keys[at], nullable: false, key: true };
        at += 1;
    }
    let mut value = 0;
    while value < values.len() {
        let (name, kind) = (VALUE_COLUMNS[value], values[value]);
        columns[at + value] = Column { name, kind, nullable: false, key: false };
        value += 1;
    }
    columns
}

/// A key or a value in words, cut if it is long.
fn text(key: &impl TableKey) -> String {
    let cells = key.to_values().unwrap_or_default();
    cells.iter().map(Value::brief).collect::<Vec<_>>().join(", ")
}

impl<K, V> Clone for Memory<K, V> {
    fn clone(&self) -> Self {
        Self { name: self.name, remembers: self.remembers.clone() }
    }
}

impl<K, V> Clone for Remember<K, V> {
    fn clone(&self) -> Self {
        Self { types: self.types, entries: self.entries.clone() }
    }
}

impl<K, V> fmt::Debug for Lookup<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookup({})", self.0.name)
    }
}
