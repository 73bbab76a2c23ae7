//! Charges for each order that is placed.

use super::payment::{Payment, PaymentCommand};
use crate::orders::events::OrderPlaced;
use annals::event::Recorded;
use annals::reactor::{Reaction, Reactor, ReactorError, Start};

/// The reactor of payments.
pub fn charge_orders() -> Result<Reactor, ReactorError> {
    Reactor::named("payments", Start::Beginning)
        .on(|e: &Recorded<OrderPlaced>| {
            let charge = PaymentCommand::charge(e.order_id.clone(), e.total_cents);
            Reaction::to::<Payment>(&e.order_id, charge)
        })
        .build()
}
