//! Takes in what payments and shipping did about an order.

use super::order::{Order, OrderCommand, Report};
use crate::ids::OrderId;
use crate::money::Cents;
use annals::Event;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor};

/// What orders needs of the events of payments and shipping, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum Upstream {
    /// The money for an order is here.
    #[event(type = "payment.captured", version = 1)]
    PaymentCaptured {
        /// The order.
        order_id: OrderId,
        /// How much.
        amount_cents: Cents,
    },
    /// There will be no money for an order.
    #[event(type = "payment.refused", version = 1)]
    PaymentRefused {
        /// The order.
        order_id: OrderId,
        /// Why not.
        reason: String,
    },
    /// The money for an order went back.
    #[event(type = "payment.refunded", version = 1)]
    PaymentRefunded {
        /// The order.
        order_id: OrderId,
        /// How much.
        amount_cents: Cents,
    },
    /// The parcel is on its way.
    #[event(type = "shipment.dispatched", version = 1)]
    ParcelDispatched {
        /// The order.
        order_id: OrderId,
    },
    /// The parcel arrived.
    #[event(type = "shipment.delivered", version = 1)]
    ParcelDelivered {
        /// The order.
        order_id: OrderId,
    },
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
        let (order_id, report) = match event.event.clone() {
            Upstream::PaymentCaptured { order_id, amount_cents } => {
                (order_id, Report::Captured(amount_cents))
            }
            Upstream::PaymentRefused { order_id, reason } => (order_id, Report::Refused(reason)),
            Upstream::PaymentRefunded { order_id, amount_cents } => {
                (order_id, Report::Refunded(amount_cents))
            }
            Upstream::ParcelDispatched { order_id } => (order_id, Report::Dispatched),
            Upstream::ParcelDelivered { order_id } => (order_id, Report::Delivered),
        };
        vec![Reaction::new(order_id.as_str(), OrderCommand::Record(report))]
    }
}
