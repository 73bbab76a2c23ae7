//! A row a day: how much was sold of the orders placed on it.
//!
//! An order counts from when it is placed. One whose payment is refused is taken back; a refund takes back the
//! revenue alone.

use crate::day::Day;
use crate::money::Cents;
use crate::orders::events::{OrderPlaced, OrderRefunded, OrderRefused};
use annals::Table;
use annals::event::Recorded;
use annals::read_model::Fold;
use serde::{Deserialize, Serialize};

/// A row of `daily_sales`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "daily_sales")]
pub struct DaySales {
    /// The day.
    #[table(key)]
    pub day: Day,
    /// How many orders.
    pub orders: i64,
    /// How many CDs.
    pub items: i64,
    /// How much money.
    pub revenue_cents: Cents,
}

/// Folds orders into the sales of their days.
pub fn daily_sales() -> Fold<DaySales> {
    Fold::<DaySales>::new()
        .upsert(
            |e: &Recorded<OrderPlaced>| e.ordered_on.clone(),
            |e| DaySales::new(&e.ordered_on),
            |day, e| day.add(e, 1),
        )
        .update(|e: &Recorded<OrderRefused>| e.placed.ordered_on.clone(), |day, e| day.add(&e.placed, -1))
        .update(|e: &Recorded<OrderRefunded>| e.ordered_on.clone(), |day, e| day.earn(-e.amount_cents.get()))
}

impl DaySales {
    fn new(day: &Day) -> Self {
        Self { day: day.clone(), orders: 0, items: 0, revenue_cents: Cents::ZERO }
    }

    fn add(&mut self, placement: &OrderPlaced, orders: i64) {
        self.orders += orders;
        self.items += orders * i64::from(placement.items);
        self.earn(orders * placement.total_cents.get());
    }

    fn earn(&mut self, cents: i64) {
        self.revenue_cents = Cents::new(self.revenue_cents.get() + cents);
    }
}
