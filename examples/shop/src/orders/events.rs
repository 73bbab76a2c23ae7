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
    #[event(type = "order.placed", version = 1)]
    Placed(Placement),
    /// The payment was captured.
    #[event(type = "order.paid", version = 1)]
    Paid {
        /// The order.
        order_id: OrderId,
        /// What was paid.
        amount_cents: Cents,
    },
    /// The payment was refused: there will be no sale.
    #[event(type = "order.payment_refused", version = 1)]
    PaymentRefused(RefusedOrder),
    /// The parcel is on its way.
    #[event(type = "order.shipped", version = 1)]
    Shipped {
        /// The order.
        order_id: OrderId,
    },
    /// The parcel arrived.
    #[event(type = "order.delivered", version = 1)]
    Delivered {
        /// The order.
        order_id: OrderId,
    },
    /// The customer got the money back.
    #[event(type = "order.refunded", version = 1)]
    Refunded(Refund),
}

/// What a customer ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: CustomerId,
    /// When, as the customer says.
    pub ordered_on: Day,
    /// How many CDs.
    pub items: u32,
    /// For how much.
    pub total_cents: Cents,
}

/// An order that was not paid for. It carries the placement, so that a fold over sales can take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedOrder {
    /// What was ordered.
    #[serde(flatten)]
    pub placement: Placement,
    /// Why the payment was refused.
    pub reason: String,
}

/// Money that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The order.
    pub order_id: OrderId,
    /// Who gets the money.
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
            Self::Placed(placement) => &placement.order_id,
            Self::PaymentRefused(refused) => &refused.placement.order_id,
            Self::Refunded(refund) => &refund.order_id,
            Self::Paid { order_id, .. } | Self::Shipped { order_id } | Self::Delivered { order_id } => {
                order_id
            }
        }
    }
}
