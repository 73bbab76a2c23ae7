//! A row a customer: what the customer is worth.
//!
//! An order counts from when it is placed. One whose payment is refused is taken back; a refund takes back the
//! revenue alone. The days of the first and last purchase stay as they were, whatever became of the orders.

use crate::day::Day;
use crate::ids::CustomerId;
use crate::money::Cents;
use crate::orders::events::{OrderPlaced, OrderRefunded, OrderRefused};
use annals::Table;
use annals::event::Recorded;
use annals::read_model::Fold;
use serde::{Deserialize, Serialize};

/// A row of `customer_value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "customer_value")]
pub struct CustomerValue {
    /// The customer.
    #[table(key)]
    pub customer_id: CustomerId,
    /// How many orders.
    pub orders: i64,
    /// How many CDs.
    pub items: i64,
    /// How much money.
    #[table(index)]
    pub revenue_cents: Cents,
    /// The day of the first order.
    pub first_purchase: Day,
    /// The day of the last order.
    pub last_purchase: Day,
}

/// Folds orders into customers' values.
pub fn customer_values() -> Fold<CustomerValue> {
    Fold::<CustomerValue>::new()
        .upsert(
            |e: &Recorded<OrderPlaced>| e.customer_id.clone(),
            |e| CustomerValue::new(e),
            |row, e| row.add(e),
        )
        .update(|e: &Recorded<OrderRefused>| e.placed.customer_id.clone(), |row, e| row.take_back(&e.placed))
        .update(|e: &Recorded<OrderRefunded>| e.customer_id.clone(), |row, e| row.earn(-e.amount_cents.get()))
}

impl CustomerValue {
    fn new(placement: &OrderPlaced) -> Self {
        Self {
            customer_id: placement.customer_id.clone(),
            orders: 0,
            items: 0,
            revenue_cents: Cents::ZERO,
            first_purchase: placement.ordered_on.clone(),
            last_purchase: placement.ordered_on.clone(),
        }
    }

    fn add(&mut self, placement: &OrderPlaced) {
        self.orders += 1;
        self.items += i64::from(placement.items);
        self.earn(placement.total_cents.get());
        let day = &placement.ordered_on;
        self.first_purchase = self.first_purchase.clone().min(day.clone());
        self.last_purchase = self.last_purchase.clone().max(day.clone());
    }

    fn take_back(&mut self, placement: &OrderPlaced) {
        self.orders -= 1;
        self.items -= i64::from(placement.items);
        self.earn(-placement.total_cents.get());
    }

    fn earn(&mut self, cents: i64) {
        self.revenue_cents = Cents::new(self.revenue_cents.get() + cents);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use annals::testing::given_rows;

    fn placed(order: &str, day: &str, items: u32) -> OrderPlaced {
        OrderPlaced {
            order_id: order.parse().unwrap(),
            customer_id: "0007".parse().unwrap(),
            ordered_on: day.parse().unwrap(),
            items,
            total_cents: Cents::new(i64::from(items) * 1_000),
        }
    }

    fn value(orders: i64, items: i64, cents: i64) -> CustomerValue {
        CustomerValue {
            customer_id: "0007".parse().unwrap(),
            orders,
            items,
            revenue_cents: Cents::new(cents),
            first_purchase: "1997-01-02".parse().unwrap(),
            last_purchase: "1997-03-04".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn refused_orders_are_taken_back_and_refunds_take_the_revenue_alone() {
        let refused = OrderRefused { placed: placed("o-2", "1997-01-02", 1), reason: "no funds".into() };
        let refunded = OrderRefunded {
            order_id: "o-1".parse().unwrap(),
            customer_id: "0007".parse().unwrap(),
            ordered_on: "1997-03-04".parse().unwrap(),
            amount_cents: Cents::new(2_000),
        };
        given_rows(customer_values())
            .event("order-o-1", placed("o-1", "1997-03-04", 2))
            .event("order-o-2", placed("o-2", "1997-01-02", 1))
            .then([value(2, 3, 3_000)])
            .await
            .event("order-o-2", refused)
            .event("order-o-1", refunded)
            .then([value(1, 2, 0)])
            .await;
    }
}
