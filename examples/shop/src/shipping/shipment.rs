//! The shipment of one order: packed and handed to the carrier at once, since the shop has every CD in stock;
//! delivered when the carrier says so.

use super::events::{ShipmentDelivered, ShipmentDispatched, ShipmentEvent, ShipmentPrepared};
use crate::ids::OrderId;
use annals::aggregate::Aggregate;
use serde::{Deserialize, Serialize};

/// A shipment, as far as decisions about it need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    order_id: Option<OrderId>,
    state: ShipmentState,
}

/// How far a shipment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentState {
    /// Nobody asked for it yet.
    #[default]
    Unknown,
    /// Packed.
    Prepared,
    /// With the carrier.
    Dispatched,
    /// With the customer.
    Delivered,
}

/// What may be asked of a shipment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShipmentCommand {
    /// Pack the order and hand it to the carrier.
    Ship(OrderId),
    /// The carrier delivered it.
    ConfirmDelivery,
}

/// Why a shipment refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShipmentError {
    /// There is no such shipment.
    #[error("there is no shipment for this order; one begins a moment after the order was paid")]
    Unknown,
    /// The carrier does not have it.
    #[error("the parcel of this order is not with the carrier yet")]
    NotDispatched,
}

impl Shipment {
    /// How far it is.
    pub const fn state(&self) -> ShipmentState {
        self.state
    }
}

impl Aggregate for Shipment {
    const CATEGORY: &'static str = "shipment";
    type Event = ShipmentEvent;
    type Command = ShipmentCommand;
    type Error = ShipmentError;

    fn decide(&self, command: ShipmentCommand) -> Result<Vec<ShipmentEvent>, ShipmentError> {
        match (command, self.state, &self.order_id) {
            (ShipmentCommand::Ship(order_id), ShipmentState::Unknown, _) => Ok(ship(order_id)),
            (ShipmentCommand::Ship(_), _, _) => Ok(Vec::new()),
            (ShipmentCommand::ConfirmDelivery, ShipmentState::Dispatched, Some(order_id)) => {
                Ok(vec![ShipmentEvent::Delivered(ShipmentDelivered { order_id: order_id.clone() })])
            }
            (ShipmentCommand::ConfirmDelivery, ShipmentState::Delivered, _) => Ok(Vec::new()),
            (ShipmentCommand::ConfirmDelivery, ShipmentState::Unknown, _) => Err(ShipmentError::Unknown),
            (ShipmentCommand::ConfirmDelivery, _, _) => Err(ShipmentError::NotDispatched),
        }
    }

    fn evolve(&mut self, event: &ShipmentEvent) {
        match event {
            ShipmentEvent::Prepared(ShipmentPrepared { order_id }) => {
                *self = Self { order_id: Some(order_id.clone()), state: ShipmentState::Prepared };
            }
            ShipmentEvent::Dispatched(_) => self.state = ShipmentState::Dispatched,
            ShipmentEvent::Delivered(_) => self.state = ShipmentState::Delivered,
        }
    }
}

fn ship(order_id: OrderId) -> Vec<ShipmentEvent> {
    vec![
        ShipmentEvent::Prepared(ShipmentPrepared { order_id: order_id.clone() }),
        ShipmentEvent::Dispatched(ShipmentDispatched { order_id }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals::testing::given;

    fn order_id() -> OrderId {
        "o-1".parse().unwrap()
    }

    #[test]
    fn a_paid_order_is_packed_and_dispatched_once() {
        let shipped = [
            ShipmentEvent::Prepared(ShipmentPrepared { order_id: order_id() }),
            ShipmentEvent::Dispatched(ShipmentDispatched { order_id: order_id() }),
        ];
        let again = given::<Shipment>([]).when(ShipmentCommand::Ship(order_id())).then(shipped);
        again.when(ShipmentCommand::Ship(order_id())).then_nothing();
    }

    #[test]
    fn a_delivery_is_confirmed_once_and_only_after_the_dispatch() {
        let delivered = ShipmentEvent::Delivered(ShipmentDelivered { order_id: order_id() });
        given::<Shipment>([
            ShipmentEvent::Prepared(ShipmentPrepared { order_id: order_id() }),
            ShipmentEvent::Dispatched(ShipmentDispatched { order_id: order_id() }),
        ])
        .when(ShipmentCommand::ConfirmDelivery)
        .then([delivered])
        .when(ShipmentCommand::ConfirmDelivery)
        .then_nothing();
        let packed = ShipmentEvent::Prepared(ShipmentPrepared { order_id: order_id() });
        given::<Shipment>([packed])
            .when(ShipmentCommand::ConfirmDelivery)
            .then_error(ShipmentError::NotDispatched);
        given::<Shipment>([]).when(ShipmentCommand::ConfirmDelivery).then_error(ShipmentError::Unknown);
    }
}
