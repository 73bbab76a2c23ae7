//! What changes sales: the only events that the read models of customers and days are folded from.

use crate::orders::events::{OrderPlaced, OrderRefunded, OrderRefused};
use annals::Event;

/// An event of an order that changes what was sold.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum SaleEvent {
    /// A customer ordered.
    Placed(OrderPlaced),
    /// The payment was refused: there was no sale.
    Refused(OrderRefused),
    /// The customer got the money back.
    Refunded(OrderRefunded),
}
