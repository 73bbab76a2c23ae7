//! Things on a shelf: rows of every type of column.

#![allow(unreachable_pub, missing_docs, reason = "tests")]

use crate::{
    PATIENCE, keys,
    support::{Running, World},
};
use annals_derive::{Event, Table};
use annals_event::{
    Append, Event as _, EventType, ExpectedVersion, NewEvent, Recorded, Sequence, StreamName, Timestamp,
    Version,
};
use annals_projection::{ApplyError, ReadModel, Reader, Select, TableProjection};
use annals_store::EventStore;

/// What happens to a thing; its row is the same.
#[derive(Clone, Debug, PartialEq, Event, Table)]
#[event(crate = annals_event, type = "thing.put", version = 1)]
#[table(crate = annals_projection, name = "thing")]
pub struct Thing {
    #[table(key, column = "id")]
    pub number: i64,
    #[table(index)]
    pub stock: i64,
    #[table(index)]
    pub small: u8,
    #[table(index)]
    pub large: u64,
    #[table(index)]
    pub sold: bool,
    #[table(index)]
    pub weight: f64,
    #[table(index)]
    pub name: String,
    #[table(index)]
    pub bytes: Vec<u8>,
    #[table(index)]
    pub place: Sequence,
    #[table(index, column = "version")]
    pub edition: Version,
    #[table(index)]
    pub at: Timestamp,
    #[table(index)]
    pub maybe: Option<i64>,
    #[table(index)]
    pub maybe_name: Option<String>,
    #[table(index)]
    pub maybe_weight: Option<f64>,
    #[table(index, column = "type")]
    pub r#type: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "thing.removed", version = 1)]
pub struct Removed {
    pub number: i64,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event)]
pub enum ShelfEvent {
    Put(Thing),
    Removed(Removed),
}

type By = fn(&Thing) -> Select<Thing>;

macro_rules! indexes {
    ($($column:literal $field:ident $by:ident $equal:ident),+ $(,)?) => {
        /// Each index: its column, and its queries with the value of a thing.
        pub const INDEXES: &[(&str, By, By)] = &[
            $(($column, |thing| Thing::$by(thing.$field.clone()), |thing| Thing::$equal(thing.$field.clone()))),+
        ];
    };
}

indexes! {
    "stock" stock by_stock where_stock,
    "small" small by_small where_small,
    "large" large by_large where_large,
    "sold" sold by_sold where_sold,
    "weight" weight by_weight where_weight,
    "name" name by_name where_name,
    "bytes" bytes by_bytes where_bytes,
    "place" place by_place where_place,
    "version" edition by_edition where_edition,
    "at" at by_at where_at,
    "maybe" maybe by_maybe where_maybe,
    "maybe_name" maybe_name by_maybe_name where_maybe_name,
    "maybe_weight" maybe_weight by_maybe_weight where_maybe_weight,
    "type" r#type by_type where_type,
}

const NUMBERS: [i64; 7] = [0, -1, 1, i64::MAX, i64::MIN, 7, 256];
const REALS: [f64; 5] = [0.0, -1.5, f64::MAX, f64::MIN_POSITIVE, 1e16];
const TEXTS: [&str; 7] = ["", "a", "B", "b", "é", "a\0b", "a'b\"$1"];
const BLOBS: [&[u8]; 5] = [b"", b"\0", b"a", b"a\0", &[255, 254]];

/// A thing that shares each of its values with others.
pub fn thing(id: i64) -> Thing {
    let at = usize::try_from(id.unsigned_abs()).unwrap();
    let (number, real) = (NUMBERS[at * 3 % 7], REALS[at * 2 % 5]);
    let (text, blob) = (TEXTS[at * 5 % 7].to_owned(), BLOBS[at * 3 % 5].to_vec());
    let positive = number.unsigned_abs() / 2;
    let some = at % 3 != 0;
    Thing {
        number: id,
        stock: number,
        small: u8::try_from(at % 4).unwrap(),
        large: positive,
        sold: at.is_multiple_of(4),
        weight: real,
        name: text.clone(),
        bytes: blob.clone(),
        place: Sequence::new(positive),
        edition: Version::new(positive),
        at: Timestamp::from_micros(number),
        maybe: some.then_some(number),
        maybe_name: some.then_some(text),
        maybe_weight: some.then_some(real),
        r#type: some.then_some(blob),
    }
}

struct Things;

impl TableProjection for Things {
    type Event = ShelfEvent;
    type Row = Thing;

    fn keys(&self, event: &Recorded<ShelfEvent>) -> Vec<i64> {
        match &event.event {
            ShelfEvent::Put(Thing { number, .. }) | ShelfEvent::Removed(Removed { number }) => vec![*number],
        }
    }
    fn fold(&self, row: &mut Option<Thing>, _: &i64, event: &Recorded<ShelfEvent>) -> Result<(), ApplyError> {
        *row = match &event.event {
            ShelfEvent::Put(thing) => Some(thing.clone()),
            ShelfEvent::Removed(_) => None,
        };
        Ok(())
    }
}

/// A read model of things that is folded.
pub struct Shelf {
    world: World,
    running: Running,
}

impl Shelf {
    pub async fn with(things: impl IntoIterator<Item = Thing>) -> Self {
        let world = World::new();
        let model = keys::with_all(ReadModel::named("shelf").projection(Things)).build().unwrap();
        let running = world.start(&model).await;
        let shelf = Self { world, running };
        shelf.put(things).await;
        shelf
    }
    pub async fn put(&self, things: impl IntoIterator<Item = Thing>) {
        self.append(things.into_iter().map(ShelfEvent::Put)).await;
    }
    pub async fn remove(&self, id: i64) {
        self.append([ShelfEvent::Removed(Removed { number: id })]).await;
    }
    /// A view with all that was put.
    pub async fn reader(&self) -> Reader {
        let head = self.world.store.head().await.unwrap().last;
        self.running.handle.wait_for(head, PATIENCE).await.unwrap()
    }

    async fn append(&self, events: impl IntoIterator<Item = ShelfEvent>) {
        let new = |event: ShelfEvent| {
            NewEvent::json(EventType::new(event.event_type()).unwrap(), event.encode().unwrap())
        };
        let events = events.into_iter().map(new).collect();
        let stream = StreamName::new("shelf-1").unwrap();
        self.world.store.append(Append::to(stream, ExpectedVersion::Any, events)).await.unwrap();
    }
}
