//! What may happen to a payment. These types and their fields are a contract: other services read them.

use crate::ids::OrderId;
use crate::money::Cents;
use annals::Event;

/// An event of the stream `payment-<order id>`.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum PaymentEvent {
    /// The customer's bank set the money aside. Does not happen when there is nothing to pay.
    Authorised(PaymentAuthorised),
    /// The money is here.
    Captured(PaymentCaptured),
    /// The payment was refused.
    Refused(PaymentRefused),
    /// The money went back.
    Refunded(PaymentRefunded),
}

/// Money that a bank set aside.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "payment.authorised", version = 1)]
pub struct PaymentAuthorised {
    /// The order that is to be paid.
    pub order_id: OrderId,
    /// How much.
    pub amount_cents: Cents,
}

/// Money that is here.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "payment.captured", version = 1)]
pub struct PaymentCaptured {
    /// The order that is paid.
    pub order_id: OrderId,
    /// How much.
    pub amount_cents: Cents,
}

/// Money that will not come.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "payment.refused", version = 1)]
pub struct PaymentRefused {
    /// The order that was to be paid.
    pub order_id: OrderId,
    /// What was to be paid.
    pub amount_cents: Cents,
    /// Why not.
    pub reason: String,
}

/// Money that went back.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "payment.refunded", version = 1)]
pub struct PaymentRefunded {
    /// The order that was paid.
    pub order_id: OrderId,
    /// How much.
    pub amount_cents: Cents,
}
