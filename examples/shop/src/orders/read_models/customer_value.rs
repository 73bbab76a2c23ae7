//! A row a customer: what the customer is worth.
//!
//! An order counts from when it is placed. One whose payment is refused is taken back; a refund takes back the
//! revenue alone. The days of the first and last purchase stay as they were, whatever became of the orders.

use super::sales::SaleEvent;
use crate::day::Day;
use crate::ids::CustomerId;
use crate::money::Cents;
use crate::orders::events::OrderPlaced;
use annals::Table;
use annals::event::Recorded;
use annals::projection::{ApplyError, TableProjection};
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
#[derive(Clone, Copy, Debug)]
pub struct CustomerValues;

impl TableProjection for CustomerValues {
    type Event = SaleEvent;
    type Row = CustomerValue;

    fn keys(&self, event: &Recorded<SaleEvent>) -> Vec<CustomerId> {
        let customer = match &event.event {
            SaleEvent::Placed(placement) => &placement.customer_id,
            SaleEvent::Refused(refused) => &refused.placed.customer_id,
            SaleEvent::Refunded(refund) => &refund.customer_id,
        };
        vec![customer.clone()]
    }

    fn fold(
        &self,
        row: &mut Option<CustomerValue>,
        key: &CustomerId,
        event: &Recorded<SaleEvent>,
    ) -> Result<(), ApplyError> {
        if let SaleEvent::Placed(placement) = &event.event {
            row.get_or_insert_with(|| CustomerValue::new(placement)).add(placement);
            return Ok(());
        }
        let row = row.as_mut().ok_or_else(|| ApplyError::new(format!("customer {key} never ordered")))?;
        match &event.event {
            SaleEvent::Placed(_) => {}
            SaleEvent::Refused(refused) => row.take_back(&refused.placed),
            SaleEvent::Refunded(refund) => row.earn(-refund.amount_cents.get()),
        }
        Ok(())
    }
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
