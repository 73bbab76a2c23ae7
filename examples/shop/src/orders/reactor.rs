//! Takes in what payments and shipping did about an order.

use super::order::{Order, OrderCommand, Report};
use crate::ids::OrderId;
use crate::payments::events::{PaymentCaptured, PaymentRefunded, PaymentRefused};
use crate::shipping::events::{ShipmentDelivered, ShipmentDispatched};
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor, ReactorError, Start};

/// The reactor of orders.
pub fn follow_orders() -> Result<Reactor, ReactorError> {
    Reactor::named("orders", Start::Beginning)
        .on(|e: &Recorded<PaymentCaptured>| tell(&e.order_id, Report::Captured(e.amount_cents)))
        .on(|e: &Recorded<PaymentRefused>| tell(&e.order_id, Report::Refused(e.reason.clone())))
        .on(|e: &Recorded<PaymentRefunded>| tell(&e.order_id, Report::Refunded(e.amount_cents)))
        .on(|e: &Recorded<ShipmentDispatched>| tell(&e.order_id, Report::Dispatched))
        .on(|e: &Recorded<ShipmentDelivered>| tell(&e.order_id, Report::Delivered))
        .build()
}

fn tell(order_id: &OrderId, report: Report) -> Reaction {
    Reaction::to::<Order>(order_id, OrderCommand::Record(report))
}
