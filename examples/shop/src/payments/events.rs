//! What may happen to a payment. These types and their fields are a contract: other services read them.

use crate::ids::OrderId;
use crate::money::Cents;
use annals::Event;
use serde::{Deserialize, Serialize};

/// An event of the stream `payment-<order id>`.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum PaymentEvent {
    /// The customer's bank set the money aside. Does not happen when there is nothing to pay.
    #[event(type = "payment.authorised", version = 1)]
    Authorised(Amount),
    /// The money is here.
    #[event(type = "payment.captured", version = 1)]
    Captured(Amount),
    /// The payment was refused.
    #[event(type = "payment.refused", version = 1)]
    Refused {
        /// The order that was to be paid.
        order_id: OrderId,
        /// What was to be paid.
        amount_cents: Cents,
        /// Why not.
        reason: String,
    },
    /// The money went back.
    #[event(type = "payment.refunded", version = 1)]
    Refunded(Amount),
}

/// Money for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// The order.
    pub order_id: OrderId,
    /// How much.
    pub amount_cents: Cents,
}
