//! A small shop till to fold: sales by customer, and sales by item.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(missing_docs, reason = "tests")]

use annals_event::{
    Append, CodecError, Event, EventId, EventType, ExpectedVersion, NewEvent, Recorded, Sequence, StreamName,
};
use annals_projection::{
    ApplyError, Catalog, Cells, Column, FoldControl, FoldOutcome, GenerationError, GenerationId, Generations,
    Projector, ProjectorError, ProjectorHandle, ProjectorOptions, ReadModel, Reader, SqlProjection, SqlTable,
    Table, TableError, TableProjection, TableSchema, Until, Value, cell, fits,
};
use annals_projection_sqlite::{SqlError, Sqlite};
use annals_store::{Activity, ConsumerState, EventStore, GappedStore};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Till {
    Sold { customer: String, item: String, cents: i64 },
    Left { customer: String },
    Broken,
}

impl Event for Till {
    const TYPES: &'static [(&'static str, u32)] = &[("till.sold", 1), ("till.left", 1), ("till.broken", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Sold { .. } => "till.sold",
            Self::Left { .. } => "till.left",
            Self::Broken => "till.broken",
        }
    }
    fn schema_version(&self) -> u32 {
        1
    }
    fn encode(&self) -> Result<Bytes, CodecError> {
        serde_json::to_vec(self).map(Into::into).map_err(|e| CodecError::new(self.event_type(), e))
    }
    fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
        serde_json::from_slice(payload).map(Some).map_err(|e| CodecError::new(event_type, e))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub customer: String,
    pub sales: i64,
    pub cents: i64,
    pub last_item: Option<String>,
}

impl Table for Account {
    type Key = String;
    const SCHEMA: TableSchema = TableSchema {
        name: "account",
        columns: &[
            Column::key_of::<String>("customer"),
            Column::of::<i64>("sales"),
            Column::of::<i64>("cents"),
            Column::of::<Option<String>>("last_item"),
        ],
        indexes: &["cents"],
    };

    fn key(&self) -> String {
        self.customer.clone()
    }
    fn to_values(&self) -> Result<Vec<Value>, TableError> {
        Ok(vec![
            cell("customer", &self.customer)?,
            cell("sales", &self.sales)?,
            cell("cents", &self.cents)?,
            cell("last_item", &self.last_item)?,
        ])
    }
    fn check(&self) -> Result<(), TableError> {
        fits("customer", &self.customer)?;
        fits("sales", &self.sales)?;
        fits("cents", &self.cents)?;
        fits("last_item", &self.last_item)
    }
    fn from_values(values: Vec<Value>) -> Result<Self, TableError> {
        let mut cells = Cells::new(values);
        let row = Self {
            customer: cells.take("customer")?,
            sales: cells.take("sales")?,
            cents: cells.take("cents")?,
            last_item: cells.take("last_item")?,
        };
        cells.finish()?;
        Ok(row)
    }
}

/// A row a customer. `wrong` is a planted fault: sales of that item are counted twice.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    pub wrong: Option<&'static str>,
}

impl TableProjection for Accounts {
    type Event = Till;
    type Row = Account;

    fn keys(&self, event: &Recorded<Till>) -> Vec<String> {
        match &event.event {
            Till::Sold { customer, .. } | Till::Left { customer } => vec![customer.clone()],
            Till::Broken => vec!["broken".to_owned()],
        }
    }

    fn fold(
        &self,
        row: &mut Option<Account>,
        key: &String,
        event: &Recorded<Till>,
    ) -> Result<(), ApplyError> {
        match &event.event {
            Till::Sold { item, cents, .. } => {
                let account = row.get_or_insert_with(|| Account {
                    customer: key.clone(),
                    sales: 0,
                    cents: 0,
                    last_item: None,
                });
                account.sales += 1;
                account.cents += if self.wrong == Some(item.as_str()) { cents * 2 } else { *cents };
                account.last_item = Some(item.clone());
            }
            Till::Left { .. } => *row = None,
            Till::Broken => return Err(ApplyError::new("the till is broken")),
        }
        Ok(())
    }
}

/// A row an item, in SQL.
#[derive(Clone, Debug)]
pub struct Items;

#[async_trait]
impl SqlProjection for Items {
    type Event = Till;
    type Database = Sqlite;

    fn tables(&self) -> Vec<SqlTable> {
        const COLUMNS: &[Column] = &[Column::key_of::<String>("name"), Column::of::<i64>("sold")];
        vec![SqlTable::new(TableSchema { name: "item", columns: COLUMNS, indexes: &[] })]
    }

    async fn apply(&self, event: &Recorded<Till>, connection: &mut SqliteConnection) -> Result<(), SqlError> {
        let Till::Sold { item, .. } = &event.event else { return Ok(()) };
        sqlx::query(
            "INSERT INTO item (name, sold, annals_sequence) VALUES (?1, 1, ?2)
             ON CONFLICT (name) DO UPDATE SET sold = sold + 1, annals_sequence = ?2",
        )
        .bind(item)
        .bind(i64::try_from(event.sequence.get()).map_err(ApplyError::new)?)
        .execute(connection)
        .await?;
        Ok(())
    }
}

pub fn model() -> ReadModel {
    model_with(1, Accounts::default())
}

pub fn model_with(fold_version: u32, accounts: Accounts) -> ReadModel {
    ReadModel::named("till").fold_version(fold_version).projection(accounts).sql(Items).build().unwrap()
}

pub fn sold(customer: &str, item: &str, cents: i64) -> Till {
    Till::Sold { customer: customer.into(), item: item.into(), cents }
}

pub fn left(customer: &str) -> Till {
    Till::Left { customer: customer.into() }
}

/// `count` sales spread over `customers` customers and three items; now and then one leaves.
pub fn sales(count: usize, customers: usize) -> Vec<Till> {
    let item = |at: usize| ["cd", "lp", "mc"][at % 3];
    let customer = |at: usize| format!("c{}", at * 7 % customers);
    (0..count)
        .map(|at| match at % 50 {
            49 => left(&customer(at)),
            _ => sold(&customer(at), item(at), i64::try_from(at % 97).unwrap()),
        })
        .collect()
}

pub async fn append(store: &dyn EventStore, events: &[Till]) -> Sequence {
    append_to(store, "till-1", events).await
}

pub async fn append_to<E: Event>(store: &dyn EventStore, stream: &str, events: &[E]) -> Sequence {
    let mut head = Sequence::ZERO;
    for chunk in events.chunks(5_000) {
        let new = |event: &E| NewEvent {
            id: EventId::generate(),
            ..NewEvent::json(EventType::new(event.event_type()).unwrap(), event.encode().unwrap())
        };
        let stream = StreamName::new(stream).unwrap();
        let append = Append::to(stream, ExpectedVersion::Any, chunk.iter().map(new).collect());
        head = store.append(append).await.unwrap().head;
    }
    head
}

/// An event that the read model does not want.
pub async fn append_foreign(store: &dyn EventStore) -> Sequence {
    let event = NewEvent::json(EventType::new("weather.changed").unwrap(), "{}");
    let stream = StreamName::new("weather-1").unwrap();
    store.append(Append::to(stream, ExpectedVersion::Any, vec![event])).await.unwrap().head
}

/// A log and a data folder.
pub struct World {
    pub store: GappedStore,
    pub folder: TempDir,
}

pub struct Running {
    pub handle: ProjectorHandle,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), ProjectorError>>,
}

impl World {
    pub fn new() -> Self {
        Self { store: GappedStore::new(), folder: tempfile::tempdir().unwrap() }
    }
    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }
    pub async fn catalog(&self) -> Catalog {
        annals_projection_sqlite::open(self.folder.path()).await.unwrap()
    }
    pub async fn options(&self, model: &ReadModel) -> ProjectorOptions {
        ProjectorOptions::new(self.catalog().await, model.clone(), self.store())
    }
    pub async fn generations(&self, model: &ReadModel) -> Generations {
        Generations::new(self.catalog().await, model.clone(), self.store())
    }
    pub async fn start(&self, model: &ReadModel) -> Running {
        Running::start(self.options(model).await).await
    }
}

impl Running {
    pub async fn start(options: ProjectorOptions) -> Self {
        let projector = Projector::open(options).await.unwrap();
        let (handle, cancel) = (projector.handle(), CancellationToken::new());
        let task = tokio::spawn(projector.run(cancel.clone()));
        Self { handle, cancel, task }
    }
    /// Shuts it down in order.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }
    /// Waits until it ends by itself.
    pub async fn ended(self) -> ProjectorError {
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap_err()
    }
}

/// The first state that `wanted` accepts.
pub async fn state_of(
    handle: &ProjectorHandle,
    mut wanted: impl FnMut(&ConsumerState) -> bool,
) -> ConsumerState {
    let found = async {
        loop {
            let state = handle.state();
            if wanted(&state) {
                return state;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("{handle:?}"))
}

/// Whether the projector gets to `token`, or stops before it.
pub async fn gets_to(handle: &ProjectorHandle, token: Sequence) -> bool {
    let stopped = |state: &ConsumerState| matches!(state.activity, Activity::Stopped { .. });
    state_of(handle, |state| state.position >= token || stopped(state)).await.position >= token
}

/// Every row with its sequence number.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub accounts: Vec<Account>,
    pub items: Vec<(String, i64, i64)>,
    pub sequences: Vec<(String, i64)>,
}

pub async fn rows(reader: &mut Reader) -> Rows {
    let accounts = reader.all::<Account>().await.unwrap();
    let items = sqlx::query_as("SELECT name, sold, annals_sequence FROM item ORDER BY name");
    let items = items.fetch_all(annals_projection_sqlite::connection(reader).unwrap()).await.unwrap();
    let sequences = sqlx::query_as("SELECT customer, annals_sequence FROM account ORDER BY customer");
    let sequences = sequences.fetch_all(annals_projection_sqlite::connection(reader).unwrap()).await.unwrap();
    Rows { accounts, items, sequences }
}

/// What a projector that was never disturbed makes of the same log.
pub async fn fresh_fold(world: &World, model: &ReadModel) -> Rows {
    fresh_fold_of(world.store(), model).await
}

/// The same of a log in any store.
pub async fn fresh_fold_of(store: Arc<dyn EventStore>, model: &ReadModel) -> Rows {
    let folder = tempfile::tempdir().unwrap();
    let catalog = annals_projection_sqlite::open(folder.path()).await.unwrap();
    let running = Running::start(ProjectorOptions::new(catalog, model.clone(), store.clone())).await;
    let head = store.head().await.unwrap().last;
    let rows = rows(&mut running.handle.wait_for(head, PATIENCE).await.unwrap()).await;
    running.stop().await;
    rows
}

/// Two workers fold one candidate to the head; the first is held back from its first batch until the second is done.
/// What came of either.
pub async fn fold_by_two(
    generations: &Generations,
    id: GenerationId,
) -> (Result<FoldOutcome, GenerationError>, FoldOutcome) {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = tokio::spawn({
        let (generations, begun, go) = (generations.clone(), begun.clone(), go.clone());
        async move {
            let control = FoldControl::default().on_progress(move |_| {
                begun.notify_one();
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(go.notified());
                    go.notify_one();
                });
            });
            generations.fold_to(id, Until::Head, control).await
        }
    });
    begun.notified().await;
    let second = generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    go.notify_one();
    (first.await.unwrap(), second)
}
