//! Charges for each order that is placed.

use super::payment::{Payment, PaymentCommand};
use crate::orders::events::OrderPlaced;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor};

/// The reactor of payments.
#[derive(Clone, Copy, Debug)]
pub struct ChargeOrders;

impl Reactor for ChargeOrders {
    type Event = OrderPlaced;
    type Target = Payment;

    fn name(&self) -> &str {
        "payments"
    }

    fn react(&self, event: &Recorded<OrderPlaced>) -> Vec<Reaction<Payment>> {
        let OrderPlaced { order_id, total_cents, .. } = &event.event;
        vec![Reaction::new(order_id.as_str(), PaymentCommand::charge(order_id.clone(), *total_cents))]
    }
}
