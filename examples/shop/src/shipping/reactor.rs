//! Sends each order that is paid for.

use super::shipment::{Shipment, ShipmentCommand};
use crate::payments::events::PaymentCaptured;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor};

/// The reactor of shipping.
#[derive(Clone, Copy, Debug)]
pub struct ShipPaidOrders;

impl Reactor for ShipPaidOrders {
    type Event = PaymentCaptured;
    type Target = Shipment;

    fn name(&self) -> &str {
        "shipping"
    }

    fn react(&self, event: &Recorded<PaymentCaptured>) -> Vec<Reaction<Shipment>> {
        let order_id = &event.order_id;
        vec![Reaction::new(order_id.as_str(), ShipmentCommand::Ship(order_id.clone()))]
    }
}
