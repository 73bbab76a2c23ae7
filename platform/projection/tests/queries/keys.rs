//! Tables with a key of each type.

#![allow(unreachable_pub, missing_docs, reason = "tests")]

use crate::{
    assert_pages, sort,
    things::{Removed, ShelfEvent},
};
use annals_derive::Table;
use annals_event::{Recorded, Sequence, Timestamp, Version};
use annals_projection::{ApplyError, ReadModelBuilder, Reader, Select, TableProjection};

macro_rules! keyed {
    ($($row:ident $table:literal $field:ident $type:ty),+ $(,)?) => {
        $(
            /// The thing that was put last of those with this value.
            #[derive(Clone, Debug, PartialEq, Table)]
            #[table(crate = annals_projection, name = $table)]
            pub struct $row {
                #[table(key)]
                pub key: $type,
                pub id: i64,
            }

            impl TableProjection for Keyed<$row> {
                type Event = ShelfEvent;
                type Row = $row;

                fn keys(&self, event: &Recorded<ShelfEvent>) -> Vec<$type> {
                    match &event.event {
                        ShelfEvent::Put(thing) => vec![thing.$field.clone()],
                        ShelfEvent::Removed(Removed { .. }) => vec![],
                    }
                }
                fn fold(
                    &self,
                    row: &mut Option<$row>,
                    key: &$type,
                    event: &Recorded<ShelfEvent>,
                ) -> Result<(), ApplyError> {
                    if let ShelfEvent::Put(thing) = &event.event {
                        *row = Some($row { key: key.clone(), id: thing.number });
                    }
                    Ok(())
                }
            }
        )+

        pub fn with_all(model: ReadModelBuilder) -> ReadModelBuilder {
            model$(.projection(Keyed::<$row>::default()))+.projection(Pairs)
        }

        /// Reads each table in pages and by its keys.
        pub async fn assert_all(reader: &mut Reader) {
            $(assert_keyed::<$row>(reader).await;)+
            assert_keyed::<Pair>(reader).await;
        }
    };
}

#[derive(Debug)]
pub struct Keyed<R>(std::marker::PhantomData<fn() -> R>);

impl<R> Default for Keyed<R> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

keyed! {
    ByI64 "by_i64" stock i64,
    ByU8 "by_u8" small u8,
    ByU64 "by_u64" large u64,
    ByBool "by_bool" sold bool,
    ByText "by_text" name String,
    ByBytes "by_bytes" bytes Vec<u8>,
    BySequence "by_sequence" place Sequence,
    ByVersion "by_version" edition Version,
    ByTime "by_time" at Timestamp,
}

/// A key of several columns, in an order of their own.
#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "pair")]
pub struct Pair {
    id: i64,
    #[table(key)]
    name: String,
    #[table(key)]
    sold: bool,
    #[table(key)]
    small: u8,
    #[table(key)]
    bytes: Vec<u8>,
}

struct Pairs;

impl TableProjection for Pairs {
    type Event = ShelfEvent;
    type Row = Pair;

    fn keys(&self, event: &Recorded<ShelfEvent>) -> Vec<(String, bool, u8, Vec<u8>)> {
        match &event.event {
            ShelfEvent::Put(thing) => {
                vec![(thing.name.clone(), thing.sold, thing.small, thing.bytes.clone())]
            }
            ShelfEvent::Removed(_) => vec![],
        }
    }
    fn fold(
        &self,
        row: &mut Option<Pair>,
        key: &(String, bool, u8, Vec<u8>),
        event: &Recorded<ShelfEvent>,
    ) -> Result<(), ApplyError> {
        if let ShelfEvent::Put(thing) = &event.event {
            let (name, sold, small, bytes) = key.clone();
            *row = Some(Pair { id: thing.number, name, sold, small, bytes });
        }
        Ok(())
    }
}

async fn assert_keyed<R: annals_projection::Table + std::fmt::Debug>(reader: &mut Reader) {
    let mut all = reader.all::<R>().await.unwrap();
    let keys: Vec<_> =
        R::SCHEMA.columns.iter().filter(|column| column.key).map(|column| column.name).collect();
    let read = all.clone();
    sort(&mut all, &keys);
    assert_eq!(read, all);
    assert!(all.len() > 1, "{}", R::SCHEMA.name);
    assert_pages(reader, Select::<R>::all(), &all).await;
    let by_key: Vec<_> = all.iter().map(R::key).collect();
    for (at, key) in by_key.iter().enumerate() {
        assert_eq!(reader.get::<R>(key).await.unwrap().as_ref(), all.get(at));
        assert_pages(reader, Select::<R>::after_key(key), &all[at + 1..]).await;
    }
    assert_eq!(reader.get_many::<R>(&by_key).await.unwrap(), all);
    all.reverse();
    assert_pages(reader, Select::<R>::all().descending(), &all).await;
}
