//! Charges for each order that is placed.

use super::payment::{Payment, PaymentCommand};
use crate::ids::OrderId;
use crate::money::Cents;
use annals::Event;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor};

/// What payments needs of the events of orders, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Event)]
pub enum Upstream {
    /// A customer ordered.
    #[event(type = "order.placed", version = 1)]
    OrderPlaced {
        /// The order.
        order_id: OrderId,
        /// What it costs.
        total_cents: Cents,
    },
}

/// The reactor of payments.
#[derive(Clone, Copy, Debug)]
pub struct ChargeOrders;

impl Reactor for ChargeOrders {
    type Event = Upstream;
    type Target = Payment;

    fn name(&self) -> &str {
        "payments"
    }

    fn react(&self, event: &Recorded<Upstream>) -> Vec<Reaction<Payment>> {
        let Upstream::OrderPlaced { order_id, total_cents } = &event.event;
        vec![Reaction::new(order_id.as_str(), PaymentCommand::charge(order_id.clone(), *total_cents))]
    }
}
