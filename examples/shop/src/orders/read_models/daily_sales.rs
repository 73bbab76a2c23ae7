//! A row a day: how much was sold of the orders placed on it. Written with plain SQL, as a report that somebody
//! else may query with plain SQL.

use super::sales::SaleEvent;
use crate::day::Day;
use crate::money::Cents;
use crate::orders::events::OrderPlaced;
use annals::event::Recorded;
use annals::projection::{ApplyError, SqlProjection, SqlTable, SqlTransaction};
use async_trait::async_trait;
use serde::Serialize;

const DAILY_SALES: SqlTable = SqlTable {
    name: "daily_sales",
    ddl: "CREATE TABLE daily_sales (
        day             TEXT    NOT NULL PRIMARY KEY,
        orders          INTEGER NOT NULL,
        items           INTEGER NOT NULL,
        revenue_cents   INTEGER NOT NULL,
        annals_sequence INTEGER NOT NULL
    )",
};

const ADD: &str = "INSERT INTO daily_sales (day, orders, items, revenue_cents, annals_sequence)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (day) DO UPDATE SET
        orders = orders + ?2,
        items = items + ?3,
        revenue_cents = revenue_cents + ?4,
        annals_sequence = ?5";

/// A row of `daily_sales`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DaySales {
    /// The day.
    pub day: Day,
    /// How many orders.
    pub orders: i64,
    /// How many CDs.
    pub items: i64,
    /// How much money.
    pub revenue_cents: Cents,
}

/// Folds orders into the sales of their days.
#[derive(Clone, Copy, Debug)]
pub struct DailySales;

/// What an event changes about a day.
struct Change<'e> {
    day: &'e Day,
    orders: i64,
    items: i64,
    revenue_cents: i64,
}

#[async_trait]
impl SqlProjection for DailySales {
    type Event = SaleEvent;

    fn tables(&self) -> Vec<SqlTable> {
        vec![DAILY_SALES]
    }

    async fn apply(
        &self,
        event: &Recorded<SaleEvent>,
        transaction: &mut SqlTransaction<'_>,
    ) -> Result<(), ApplyError> {
        let change = change(&event.event);
        let sequence = i64::try_from(event.sequence.get()).map_err(ApplyError::new)?;
        sqlx::query(ADD)
            .bind(change.day.as_str())
            .bind(change.orders)
            .bind(change.items)
            .bind(change.revenue_cents)
            .bind(sequence)
            .execute(transaction.connection())
            .await?;
        Ok(())
    }
}

fn change(event: &SaleEvent) -> Change<'_> {
    match event {
        SaleEvent::Placed(placement) => Change::of(placement, 1),
        SaleEvent::Refused(refused) => Change::of(&refused.placed, -1),
        SaleEvent::Refunded(refund) => {
            let revenue_cents = -refund.amount_cents.get();
            Change { day: &refund.ordered_on, orders: 0, items: 0, revenue_cents }
        }
    }
}

impl<'e> Change<'e> {
    fn of(placement: &'e OrderPlaced, orders: i64) -> Self {
        Self {
            day: &placement.ordered_on,
            orders,
            items: orders * i64::from(placement.items),
            revenue_cents: orders * placement.total_cents.get(),
        }
    }
}
