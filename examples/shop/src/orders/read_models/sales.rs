//! What changes sales: the only events that the read models of customers and days are folded from.

use crate::orders::events::{Placement, Refund, RefusedOrder};
use annals::Event;

/// An event of an order that changes what was sold.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum SaleEvent {
    /// A customer ordered.
    #[event(type = "order.placed", version = 1)]
    Placed(Placement),
    /// The payment was refused: there was no sale.
    #[event(type = "order.payment_refused", version = 1)]
    Refused(RefusedOrder),
    /// The customer got the money back.
    #[event(type = "order.refunded", version = 1)]
    Refunded(Refund),
}
