//! A row an order: what was ordered, and how far payment and parcel are.

use crate::day::Day;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use crate::orders::events::{
    OrderDelivered, OrderPaid, OrderPlaced, OrderRefunded, OrderRefused, OrderShipped,
};
use crate::orders::status::{ParcelStatus, PaymentStatus};
use annals::Table;
use annals::event::Recorded;
use annals::read_model::Fold;
use serde::{Deserialize, Serialize};

/// A row of `order_summary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
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
pub fn order_summaries() -> Fold<OrderSummary> {
    use {ParcelStatus as Parcel, PaymentStatus as Payment};
    Fold::<OrderSummary>::new()
        .create(|e: &Recorded<OrderPlaced>| e.order_id.clone(), |e| placed(e))
        .update(|e: &Recorded<OrderPaid>| e.order_id.clone(), |row, _| row.payment = Payment::Paid)
        .update(
            |e: &Recorded<OrderRefused>| e.placed.order_id.clone(),
            |row, _| row.payment = Payment::Refused,
        )
        .update(|e: &Recorded<OrderRefunded>| e.order_id.clone(), |row, _| row.payment = Payment::Refunded)
        .update(|e: &Recorded<OrderShipped>| e.order_id.clone(), |row, _| row.parcel = Parcel::Shipped)
        .update(|e: &Recorded<OrderDelivered>| e.order_id.clone(), |row, _| row.parcel = Parcel::Delivered)
}

fn placed(placement: &OrderPlaced) -> OrderSummary {
    let OrderPlaced { order_id, customer_id, ordered_on, items, total_cents } = placement.clone();
    let (payment, parcel) = (PaymentStatus::Pending, ParcelStatus::Pending);
    OrderSummary { order_id, customer_id, ordered_on, items, total_cents, payment, parcel }
}
