//! Sends each order that is paid for.

use super::shipment::{Shipment, ShipmentCommand};
use crate::ids::OrderId;
use annals::Event;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor};

/// What shipping needs of the events of payments, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum Upstream {
    /// The money for an order is here.
    #[event(type = "payment.captured", version = 1)]
    PaymentCaptured {
        /// The order.
        order_id: OrderId,
    },
}

/// The reactor of shipping.
#[derive(Clone, Copy, Debug)]
pub struct ShipPaidOrders;

impl Reactor for ShipPaidOrders {
    type Event = Upstream;
    type Target = Shipment;

    fn name(&self) -> &str {
        "shipping"
    }

    fn react(&self, event: &Recorded<Upstream>) -> Vec<Reaction<Shipment>> {
        let Upstream::PaymentCaptured { order_id } = &event.event;
        vec![Reaction::new(order_id.as_str(), ShipmentCommand::Ship(order_id.clone()))]
    }
}
