//! What may happen to a shipment. These types and their fields are a contract: other services read them.

use crate::ids::OrderId;
use annals::Event;

/// An event of the stream `shipment-<order id>`.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum ShipmentEvent {
    /// The parcel is packed.
    Prepared(ShipmentPrepared),
    /// The carrier has it.
    Dispatched(ShipmentDispatched),
    /// The customer has it.
    Delivered(ShipmentDelivered),
}

/// A parcel that is packed.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "shipment.prepared", version = 1)]
pub struct ShipmentPrepared {
    /// The order in it.
    pub order_id: OrderId,
}

/// A parcel that the carrier has.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "shipment.dispatched", version = 1)]
pub struct ShipmentDispatched {
    /// The order in it.
    pub order_id: OrderId,
}

/// A parcel that the customer has.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
#[event(type = "shipment.delivered", version = 1)]
pub struct ShipmentDelivered {
    /// The order in it.
    pub order_id: OrderId,
}
