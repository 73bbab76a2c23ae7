//! Sends each order that is paid for.

use super::shipment::{Shipment, ShipmentCommand};
use crate::payments::events::PaymentCaptured;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor, ReactorError, Start};

/// The reactor of shipping.
pub fn ship_paid_orders() -> Result<Reactor, ReactorError> {
    Reactor::named("shipping", Start::Beginning)
        .on(|e: &Recorded<PaymentCaptured>| {
            Reaction::to::<Shipment>(&e.order_id, ShipmentCommand::Ship(e.order_id.clone()))
        })
        .build()
}
