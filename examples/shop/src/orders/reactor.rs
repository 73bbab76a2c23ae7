//! Takes in what payments and shipping did about an order.

use super::order::{Order, OrderCommand, Report};
use crate::payments::events::{PaymentCaptured, PaymentRefunded, PaymentRefused};
use crate::shipping::events::{ShipmentDelivered, ShipmentDispatched};
use annals::Event;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor};

/// What orders follows of payments and shipping.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum Upstream {
    /// The money for an order is here.
    PaymentCaptured(PaymentCaptured),
    /// There will be no money for an order.
    PaymentRefused(PaymentRefused),
    /// The money for an order went back.
    PaymentRefunded(PaymentRefunded),
    /// The parcel is on its way.
    ParcelDispatched(ShipmentDispatched),
    /// The parcel arrived.
    ParcelDelivered(ShipmentDelivered),
}

/// The reactor of orders.
#[derive(Clone, Copy, Debug)]
pub struct FollowOrders;

impl Reactor for FollowOrders {
    type Event = Upstream;
    type Target = Order;

    fn name(&self) -> &str {
        "orders"
    }

    fn react(&self, event: &Recorded<Upstream>) -> Vec<Reaction<Order>> {
        let (order_id, report) = match &event.event {
            Upstream::PaymentCaptured(captured) => {
                (&captured.order_id, Report::Captured(captured.amount_cents))
            }
            Upstream::PaymentRefused(refused) => (&refused.order_id, Report::Refused(refused.reason.clone())),
            Upstream::PaymentRefunded(refunded) => {
                (&refunded.order_id, Report::Refunded(refunded.amount_cents))
            }
            Upstream::ParcelDispatched(dispatched) => (&dispatched.order_id, Report::Dispatched),
            Upstream::ParcelDelivered(delivered) => (&delivered.order_id, Report::Delivered),
        };
        vec![Reaction::new(order_id.as_str(), OrderCommand::Record(report))]
    }
}
