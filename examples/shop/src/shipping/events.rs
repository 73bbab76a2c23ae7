//! What may happen to a shipment. These types and their fields are a contract: other services read them.

use crate::ids::OrderId;
use annals::Event;

/// An event of the stream `shipment-<order id>`.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum ShipmentEvent {
    /// The parcel is packed.
    #[event(type = "shipment.prepared", version = 1)]
    Prepared {
        /// The order in it.
        order_id: OrderId,
    },
    /// The carrier has it.
    #[event(type = "shipment.dispatched", version = 1)]
    Dispatched {
        /// The order in it.
        order_id: OrderId,
    },
    /// The customer has it.
    #[event(type = "shipment.delivered", version = 1)]
    Delivered {
        /// The order in it.
        order_id: OrderId,
    },
}
