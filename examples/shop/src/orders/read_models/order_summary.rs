//! A row an order: what was ordered, and how far payment and parcel are.

use crate::day::Day;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use crate::orders::events::{OrderEvent, OrderPlaced};
use crate::orders::status::{ParcelStatus, PaymentStatus};
use annals::Table;
use annals::event::Recorded;
use annals::projection::{ApplyError, TableProjection};
use serde::Serialize;

/// A row of `order_summary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Table)]
#[table(name = "order_summary")]
pub struct OrderSummary {
    /// The order.
    #[table(key)]
    pub order_id: OrderId,
    /// Who ordered.
    #[table(index)]
    pub customer_id: CustomerId,
    /// When.
    pub ordered_on: Day,
    /// How many CDs.
    pub items: u32,
    /// For how much.
    pub total_cents: Cents,
    /// How far the payment is.
    pub payment: PaymentStatus,
    /// How far the parcel is.
    pub parcel: ParcelStatus,
}

/// Folds orders into their summaries.
#[derive(Clone, Copy, Debug)]
pub struct OrderSummaries;

impl TableProjection for OrderSummaries {
    type Event = OrderEvent;
    type Row = OrderSummary;

    fn keys(&self, event: &Recorded<OrderEvent>) -> Vec<OrderId> {
        vec![event.event.order_id().clone()]
    }

    fn fold(
        &self,
        row: &mut Option<OrderSummary>,
        key: &OrderId,
        event: &Recorded<OrderEvent>,
    ) -> Result<(), ApplyError> {
        if let OrderEvent::Placed(placement) = &event.event {
            *row = Some(placed(placement));
            return Ok(());
        }
        let row = row.as_mut().ok_or_else(|| ApplyError::new(format!("order {key} was never placed")))?;
        match &event.event {
            OrderEvent::Placed(_) => {}
            OrderEvent::Paid(_) => row.payment = PaymentStatus::Paid,
            OrderEvent::PaymentRefused(_) => row.payment = PaymentStatus::Refused,
            OrderEvent::Refunded(_) => row.payment = PaymentStatus::Refunded,
            OrderEvent::Shipped(_) => row.parcel = ParcelStatus::Shipped,
            OrderEvent::Delivered(_) => row.parcel = ParcelStatus::Delivered,
        }
        Ok(())
    }
}

fn placed(placement: &OrderPlaced) -> OrderSummary {
    let OrderPlaced { order_id, customer_id, ordered_on, items, total_cents } = placement.clone();
    let (payment, parcel) = (PaymentStatus::Pending, ParcelStatus::Pending);
    OrderSummary { order_id, customer_id, ordered_on, items, total_cents, payment, parcel }
}
