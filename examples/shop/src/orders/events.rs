//! What may happen to an order. These types and their fields are a contract: other services read them.

use crate::day::Day;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use annals::Event;
use serde::{Deserialize, Serialize};

/// An event of the stream `order-<order id>`.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum OrderEvent {
    /// A customer ordered.
    Placed(OrderPlaced),
    /// The payment was captured.
    Paid(OrderPaid),
    /// The payment was refused: there will be no sale.
    PaymentRefused(OrderRefused),
    /// The parcel is on its way.
    Shipped(OrderShipped),
    /// The parcel arrived.
    Delivered(OrderDelivered),
    /// The customer got the money back.
    Refunded(OrderRefunded),
}

/// What a customer ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(type = "order.placed", version = 1)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    #[event(tag = "customer")]
    pub customer_id: CustomerId,
    /// When, as the customer says.
    pub ordered_on: Day,
    /// How many CDs.
    pub items: u32,
    /// For how much.
    pub total_cents: Cents,
}

/// An order that was paid for.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "order.paid", version = 1)]
pub struct OrderPaid {
    /// The order.
    pub order_id: OrderId,
    /// What was paid.
    pub amount_cents: Cents,
}

/// An order that was not paid for. It carries the order, so that a fold over sales can take it back.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "order.payment_refused", version = 1)]
pub struct OrderRefused {
    /// What was ordered.
    #[serde(flatten)]
    pub placed: OrderPlaced,
    /// Why the payment was refused.
    pub reason: String,
}

/// An order whose parcel is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "order.shipped", version = 1)]
pub struct OrderShipped {
    /// The order.
    pub order_id: OrderId,
}

/// An order whose parcel arrived.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "order.delivered", version = 1)]
pub struct OrderDelivered {
    /// The order.
    pub order_id: OrderId,
}

/// An order whose money went back.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "order.refunded", version = 1)]
pub struct OrderRefunded {
    /// The order.
    pub order_id: OrderId,
    /// Who gets the money.
    #[event(tag = "customer")]
    pub customer_id: CustomerId,
    /// When the order was placed.
    pub ordered_on: Day,
    /// How much.
    pub amount_cents: Cents,
}

impl OrderEvent {
    /// The order that it happened to.
    pub fn order_id(&self) -> &OrderId {
        match self {
            Self::Placed(OrderPlaced { order_id, .. })
            | Self::PaymentRefused(OrderRefused { placed: OrderPlaced { order_id, .. }, .. })
            | Self::Refunded(OrderRefunded { order_id, .. })
            | Self::Paid(OrderPaid { order_id, .. })
            | Self::Shipped(OrderShipped { order_id })
            | Self::Delivered(OrderDelivered { order_id }) => order_id,
        }
    }
}
