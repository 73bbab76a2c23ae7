//! A read model with one table, and short ways to write and read it.

use annals_derive::{Event, Table};
use annals_event::{LogId, Recorded, Sequence};
use annals_projection::{
    ColumnKind, Fold, GenerationId, ReadModel, Table as _, TableSchema, Tally, Value,
    backend::{
        Advance, Backend, Batch, Change, DatabaseError, GenerationSpec, GenerationStatus, Live, Purpose,
        Slot, Target, View, Writer,
    },
};
use serde::{Deserialize, Serialize};

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "item")]
pub(crate) struct Item {
    #[table(key)]
    pub(crate) id: i64,
    #[table(index)]
    pub(crate) note: Option<String>,
}

/// Makes or changes an item.
#[derive(Clone, Debug, Deserialize, Event, Serialize)]
#[event(crate = annals_event, type = "item.noted", version = 1)]
pub(crate) struct Noted {
    pub(crate) item: i64,
    pub(crate) note: String,
}

/// The table.
pub(crate) const ITEM: TableSchema = Item::SCHEMA;

/// How events change the rows.
pub(crate) fn items() -> Fold<Item> {
    let first = |e: &Recorded<Noted>| Item { id: e.item, note: Some(e.note.clone()) };
    Fold::new().upsert(|e: &Recorded<Noted>| e.item, first, |row, e| row.note = Some(e.note.clone()))
}

/// The read model.
pub(crate) fn model() -> ReadModel {
    ReadModel::named("items").table(items()).build().unwrap()
}

/// Where it belongs.
pub(crate) fn slot() -> Slot {
    Slot::of(&model())
}

/// A generation that is to be made.
pub(crate) fn spec(purpose: Purpose) -> GenerationSpec {
    let model = model();
    GenerationSpec {
        id: GenerationId::generate(),
        slot: slot(),
        schema: model.schema().clone(),
        status: GenerationStatus::empty(&model, LogId::generate()),
        snapshot: None,
        purpose,
    }
}

/// Makes a generation without rows.
pub(crate) async fn make(on: &dyn Backend, purpose: Purpose) -> GenerationId {
    let spec = spec(purpose);
    on.create(&spec).await.unwrap().unwrap().finish().await.unwrap();
    spec.id
}

/// Makes a generation without rows and makes it live.
pub(crate) async fn first_live(on: &dyn Backend) -> Live {
    let live = Live { generation: make(on, Purpose::Live).await, previous: None, epoch: 1 };
    on.change(&Change { slot: slot(), expect: None, set: Some(live), retire: Vec::new() }).await.unwrap();
    live
}

/// Takes a generation over.
pub(crate) async fn claim(on: &dyn Backend, id: GenerationId) -> Result<Box<dyn Writer>, DatabaseError> {
    on.fence(&slot(), id).await?.claim().await
}

/// Rows with these ids, of the event with this sequence number.
pub(crate) fn rows(ids: impl IntoIterator<Item = i64>, sequence: i64) -> Batch {
    let row = |id| vec![Value::Integer(id), Value::Text(format!("note {id}")), Value::Integer(sequence)];
    Batch::of(3, ids.into_iter().map(row).collect())
}

/// No keys.
pub(crate) fn none() -> Batch {
    Batch::of(1, Vec::new())
}

/// Where a batch that ends at `through` brings a generation.
pub(crate) fn advance(through: u64) -> Advance {
    let applied = Tally { count: through, sum: through.into() };
    Advance { through: Sequence::new(through), chain: None, applied }
}

/// Writes one row for each sequence number above the checkpoint.
pub(crate) async fn fold(writer: &mut Box<dyn Writer>, through: u64) -> Result<(), DatabaseError> {
    let mut tx = writer.begin().await?;
    let (from, to) = (tx.status().checkpoint.get() + 1, through);
    let ids = (from..=to).map(|id| i64::try_from(id).unwrap());
    tx.write(&ITEM, none(), rows(ids, i64::try_from(through).unwrap())).await?;
    tx.commit(advance(through)).await
}

/// How many rows a view has; they fit its checkpoint.
pub(crate) async fn count(view: &mut Box<dyn View>) -> u64 {
    let found = view.query("SELECT count(*) FROM item", Vec::new(), &[ColumnKind::Integer], 1);
    let found = found.await.unwrap();
    let checkpoint = view.status().checkpoint.get();
    assert_eq!(
        found.columns(),
        [[Value::Integer(i64::try_from(checkpoint).unwrap())]],
        "rows and checkpoint differ"
    );
    checkpoint
}

/// How many rows a generation has.
pub(crate) async fn count_of(on: &dyn Backend, id: GenerationId) -> u64 {
    count(&mut on.view(&slot(), Target::Generation(id)).await.unwrap()).await
}
