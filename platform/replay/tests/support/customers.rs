//! A small read model: a row a customer, by a table projection, and a row a day, by an SQL projection. Each order is
//! counted once in each table, so the two tables of one view must agree.

use annals_event::{CodecError, Event, EventType, NewEvent, Recorded};
use annals_projection::{
    ApplyError, Cells, Column, ReadModel, Reader, SqlProjection, SqlTable, Table, TableError,
    TableProjection, TableSchema, Value, cell,
};
use annals_projection_sqlite::{SqlError, Sqlite};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    pub customer: String,
    pub cents: i64,
    pub day: i64,
}

impl Event for Ordered {
    const TYPES: &'static [(&'static str, u32)] = &[("shop.ordered", 1)];

    fn event_type(&self) -> &'static str {
        "shop.ordered"
    }
    fn schema_version(&self) -> u32 {
        1
    }
    fn encode(&self) -> Result<Bytes, CodecError> {
        serde_json::to_vec(self).map(Into::into).map_err(|error| CodecError::new(self.event_type(), error))
    }
    fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
        serde_json::from_slice(payload).map(Some).map_err(|error| CodecError::new(event_type, error))
    }
}

impl Ordered {
    pub fn new_event(&self) -> NewEvent {
        NewEvent::json(EventType::new(self.event_type()).unwrap(), self.encode().unwrap())
    }
}

/// `count` orders, the first of them with this number, of so many customers and on 30 days.
pub fn orders(first: usize, count: usize, customers: usize) -> Vec<Ordered> {
    let order = |at: usize| Ordered {
        customer: format!("c{:03}", at * 7 % customers),
        cents: i64::try_from(at % 97).unwrap() + 1,
        day: i64::try_from(at % 30).unwrap(),
    };
    (first..first + count).map(order).collect()
}

#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    pub name: String,
    pub orders: i64,
    pub revenue_cents: i64,
}

impl Table for Customer {
    type Key = String;
    const SCHEMA: TableSchema = TableSchema {
        name: "customer",
        columns: &[
            Column::key_of::<String>("name"),
            Column::of::<i64>("orders"),
            Column::of::<i64>("revenue_cents"),
        ],
        indexes: &[],
    };

    fn key(&self) -> String {
        self.name.clone()
    }
    fn to_values(&self) -> Result<Vec<Value>, TableError> {
        Ok(vec![
            cell("name", &self.name)?,
            cell("orders", &self.orders)?,
            cell("revenue_cents", &self.revenue_cents)?,
        ])
    }
    fn from_values(values: Vec<Value>) -> Result<Self, TableError> {
        let mut cells = Cells::new(values);
        let (name, orders, revenue_cents) =
            (cells.take("name")?, cells.take("orders")?, cells.take("revenue_cents")?);
        cells.finish()?;
        Ok(Self { name, orders, revenue_cents })
    }
}

/// Whether the fold is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    Right,
    /// Forgets the orders of c003, counts c004's also for a ghost, doubles the cents of c005, and forgets day 7.
    Wrong,
}

#[derive(Clone, Copy)]
pub struct Customers(pub Fold);

impl Customers {
    pub const FORGOTTEN: &str = "c003";
    pub const HAUNTED: &str = "c004";
    pub const GHOST: &str = "ghost";
    pub const DOUBLED: &str = "c005";
}

impl TableProjection for Customers {
    type Event = Ordered;
    type Row = Customer;

    fn keys(&self, event: &Recorded<Ordered>) -> Vec<String> {
        let customer = event.event.customer.clone();
        match (self.0, customer.as_str()) {
            (Fold::Wrong, Self::FORGOTTEN) => vec![],
            (Fold::Wrong, Self::HAUNTED) => vec![customer, Self::GHOST.into()],
            _ => vec![customer],
        }
    }

    fn fold(
        &self,
        row: &mut Option<Customer>,
        key: &String,
        event: &Recorded<Ordered>,
    ) -> Result<(), ApplyError> {
        let row = row.get_or_insert_with(|| Customer { name: key.clone(), orders: 0, revenue_cents: 0 });
        let times = if self.0 == Fold::Wrong && key == Self::DOUBLED { 2 } else { 1 };
        row.orders += 1;
        row.revenue_cents += event.event.cents * times;
        Ok(())
    }
}

#[derive(Clone, Copy)]
pub struct Days(pub Fold);

impl Days {
    pub const FORGOTTEN: i64 = 7;
}

#[async_trait]
impl SqlProjection for Days {
    type Event = Ordered;
    type Database = Sqlite;

    fn tables(&self) -> Vec<SqlTable> {
        const COLUMNS: &[Column] = &[Column::key_of::<i64>("day"), Column::of::<i64>("orders")];
        vec![SqlTable::new(TableSchema { name: "day", columns: COLUMNS, indexes: &[] })]
    }

    async fn apply(
        &self,
        event: &Recorded<Ordered>,
        connection: &mut SqliteConnection,
    ) -> Result<(), SqlError> {
        if self.0 == Fold::Wrong && event.event.day == Self::FORGOTTEN {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO day (day, orders, annals_sequence) VALUES (?1, 1, ?2)
             ON CONFLICT (day) DO UPDATE SET orders = orders + 1, annals_sequence = ?2",
        )
        .bind(event.event.day)
        .bind(i64::try_from(event.sequence.get()).map_err(ApplyError::new)?)
        .execute(connection)
        .await?;
        Ok(())
    }
}

pub const CUSTOMERS: &str = "customers";

/// The read model, folded rightly.
pub fn model() -> ReadModel {
    model_of(CUSTOMERS, 1, Fold::Right)
}

pub fn model_of(name: &str, fold_version: u32, fold: Fold) -> ReadModel {
    let builder = ReadModel::named(name).fold_version(fold_version);
    builder.projection(Customers(fold)).sql(Days(fold)).build().unwrap()
}

/// Every row, with the sequence numbers that they carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub customers: Vec<Customer>,
    /// Day, orders, sequence number.
    pub days: Vec<(i64, i64, i64)>,
    /// Of each customer.
    pub sequences: Vec<i64>,
}

pub async fn rows(reader: &mut Reader) -> Rows {
    let customers = reader.all::<Customer>().await.unwrap();
    let days = reader.values("SELECT day, orders, annals_sequence FROM day ORDER BY day", ()).await.unwrap();
    let sequences = reader.values("SELECT annals_sequence FROM customer ORDER BY name", ()).await.unwrap();
    Rows { customers, days, sequences: sequences.into_iter().map(|(sequence,)| sequence).collect() }
}
