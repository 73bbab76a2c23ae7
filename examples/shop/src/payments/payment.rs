//! The payment of one order.
//!
//! * An order is charged once. Up to [`AMOUNT_MAX`] the charge is authorised and captured; above it is refused.
//! * An order that costs nothing is captured without asking a bank.
//! * What was captured can be refunded once, in full.

use super::events::{PaymentAuthorised, PaymentCaptured, PaymentEvent, PaymentRefunded, PaymentRefused};
use crate::ids::OrderId;
use crate::money::Cents;
use annals::aggregate::Aggregate;
use serde::{Deserialize, Serialize};

/// The largest amount that is charged: ten thousand dollars. A larger one is refused.
pub const AMOUNT_MAX: Cents = Cents::new(1_000_000);

/// A payment, as far as decisions about it need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    state: PaymentState,
}

/// How far a payment is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum PaymentState {
    /// Nobody asked for it yet.
    #[default]
    Unknown,
    /// A bank set the money aside.
    Authorised(Amount),
    /// The money is here.
    Captured(Amount),
    /// There will be no money.
    Refused {
        /// For which order.
        order_id: OrderId,
        /// Why not.
        reason: String,
    },
    /// The money went back.
    Refunded(Amount),
}

/// Money for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// The order.
    pub order_id: OrderId,
    /// How much.
    pub amount_cents: Cents,
}

impl Amount {
    fn of(order_id: &OrderId, amount_cents: Cents) -> Self {
        Self { order_id: order_id.clone(), amount_cents }
    }

    fn authorised(self) -> PaymentEvent {
        let Self { order_id, amount_cents } = self;
        PaymentAuthorised { order_id, amount_cents }.into()
    }

    fn captured(self) -> PaymentEvent {
        let Self { order_id, amount_cents } = self;
        PaymentCaptured { order_id, amount_cents }.into()
    }

    fn refunded(self) -> PaymentEvent {
        let Self { order_id, amount_cents } = self;
        PaymentRefunded { order_id, amount_cents }.into()
    }
}

/// What may be asked of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentCommand {
    /// Get the money for an order.
    Charge(Amount),
    /// Give it back.
    Refund,
}

/// Why a payment refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PaymentError {
    /// There is no such payment.
    #[error("there is no payment for this order; a payment begins a moment after its order was placed")]
    Unknown,
    /// There is no money to give back.
    #[error("nothing was charged for this order, so nothing can be refunded")]
    NothingCharged,
}

impl Payment {
    /// How far it is.
    pub fn state(&self) -> &PaymentState {
        &self.state
    }
}

impl Aggregate for Payment {
    const CATEGORY: &'static str = "payment";
    type Event = PaymentEvent;
    type Command = PaymentCommand;
    type Error = PaymentError;

    fn decide(&self, command: PaymentCommand) -> Result<Vec<PaymentEvent>, PaymentError> {
        match (command, &self.state) {
            (PaymentCommand::Charge(amount), PaymentState::Unknown) => Ok(charge(amount)),
            (PaymentCommand::Charge(_), _) => Ok(Vec::new()),
            (PaymentCommand::Refund, PaymentState::Captured(amount)) if amount.amount_cents > Cents::ZERO => {
                Ok(vec![amount.clone().refunded()])
            }
            (PaymentCommand::Refund, PaymentState::Refunded(_)) => Ok(Vec::new()),
            (PaymentCommand::Refund, PaymentState::Unknown) => Err(PaymentError::Unknown),
            (PaymentCommand::Refund, _) => Err(PaymentError::NothingCharged),
        }
    }

    fn evolve(&mut self, event: &PaymentEvent) {
        self.state = match event {
            PaymentEvent::Authorised(PaymentAuthorised { order_id, amount_cents }) => {
                PaymentState::Authorised(Amount::of(order_id, *amount_cents))
            }
            PaymentEvent::Captured(PaymentCaptured { order_id, amount_cents }) => {
                PaymentState::Captured(Amount::of(order_id, *amount_cents))
            }
            PaymentEvent::Refused(PaymentRefused { order_id, reason, .. }) => {
                PaymentState::Refused { order_id: order_id.clone(), reason: reason.clone() }
            }
            PaymentEvent::Refunded(PaymentRefunded { order_id, amount_cents }) => {
                PaymentState::Refunded(Amount::of(order_id, *amount_cents))
            }
        };
    }
}

fn charge(amount: Amount) -> Vec<PaymentEvent> {
    if amount.amount_cents > AMOUNT_MAX {
        return vec![refuse(amount)];
    }
    if amount.amount_cents == Cents::ZERO {
        return vec![amount.captured()];
    }
    vec![amount.clone().authorised(), amount.captured()]
}

fn refuse(Amount { order_id, amount_cents }: Amount) -> PaymentEvent {
    let reason = format!("{amount_cents} dollars are over the limit of {AMOUNT_MAX}");
    PaymentRefused { order_id, amount_cents, reason }.into()
}

impl PaymentCommand {
    /// Get `amount_cents` for `order_id`.
    pub fn charge(order_id: OrderId, amount_cents: Cents) -> Self {
        Self::Charge(Amount { order_id, amount_cents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals::testing::given;

    fn order_id() -> OrderId {
        "o-1".parse().unwrap()
    }
    fn amount(cents: i64) -> Amount {
        Amount { order_id: order_id(), amount_cents: Cents::new(cents) }
    }
    fn charge(cents: i64) -> PaymentCommand {
        PaymentCommand::charge(order_id(), Cents::new(cents))
    }

    #[test]
    fn an_order_is_charged_once() {
        let charged = [amount(2_933).authorised(), amount(2_933).captured()];
        given::<Payment>([]).when(charge(2_933)).then(charged).when(charge(2_933)).then_nothing();
    }

    #[test]
    fn an_order_that_costs_nothing_is_paid_without_asking_a_bank() {
        let free = given::<Payment>([]).when(charge(0)).then([amount(0).captured()]);
        free.when(PaymentCommand::Refund).then_error(PaymentError::NothingCharged);
    }

    #[test]
    fn an_amount_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
        let reason = "10000.01 dollars are over the limit of 10000.00".to_owned();
        let amount_cents = Cents::new(1_000_001);
        let refused = PaymentRefused { order_id: order_id(), amount_cents, reason }.into();
        given::<Payment>([])
            .when(charge(1_000_001))
            .then([refused])
            .when(PaymentCommand::Refund)
            .then_error(PaymentError::NothingCharged);
        let charged = [amount(1_000_000).authorised(), amount(1_000_000).captured()];
        given::<Payment>([]).when(charge(1_000_000)).then(charged);
    }

    #[test]
    fn what_was_captured_is_refunded_once_in_full() {
        given::<Payment>([amount(5).authorised(), amount(5).captured()])
            .when(PaymentCommand::Refund)
            .then([amount(5).refunded()])
            .when(PaymentCommand::Refund)
            .then_nothing();
        given::<Payment>([]).when(PaymentCommand::Refund).then_error(PaymentError::Unknown);
    }
}
