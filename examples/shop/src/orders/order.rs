//! The order: what may be asked of it, what it refuses, and what it remembers.
//!
//! * An order is placed once. Asking again with equal content changes nothing; other content is refused.
//! * What payments and shipping report is taken in at most once each, in whatever order it comes.

use super::events::{
    OrderDelivered, OrderEvent, OrderPaid, OrderPlaced, OrderRefunded, OrderRefused, OrderShipped,
};
use super::status::{ParcelStatus, PaymentStatus};
use crate::ids::OrderId;
use crate::money::Cents;
use annals::aggregate::Aggregate;
use serde::{Deserialize, Serialize};

/// How many items an order may have.
pub const ITEMS_MAX: u32 = 10_000;
/// What an order may cost: a million dollars.
pub const TOTAL_MAX: Cents = Cents::new(100_000_000);

/// An order, as far as decisions about it need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    placement: Option<OrderPlaced>,
    payment: PaymentStatus,
    parcel: ParcelStatus,
}

/// What may be asked of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// Place it.
    Place(OrderPlaced),
    /// Take in what another service reports.
    Record(Report),
}

/// What another service did about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Payments captured the money.
    Captured(Cents),
    /// Payments refused, for this reason.
    Refused(String),
    /// Payments gave the money back.
    Refunded(Cents),
    /// Shipping dispatched the parcel.
    Dispatched,
    /// The parcel arrived.
    Delivered,
}

/// Why an order refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// The id belongs to another order.
    #[error("order {0} was placed before with other content; use a new order_id for a new order")]
    PlacedOtherwise(OrderId),
    /// Nothing, or too much, was ordered.
    #[error("items is {0}; an order has 1 to {ITEMS_MAX}")]
    Items(u32),
    /// The price is not one.
    #[error("total_cents is {}; an order costs 0 to {}", .0.get(), TOTAL_MAX.get())]
    Total(Cents),
    /// A report about an order that nobody placed.
    #[error("the order was never placed")]
    NotPlaced,
}

impl Aggregate for Order {
    const CATEGORY: &'static str = "order";
    type Event = OrderEvent;
    type Command = OrderCommand;
    type Error = OrderError;

    fn decide(&self, command: OrderCommand) -> Result<Vec<OrderEvent>, OrderError> {
        let event = match command {
            OrderCommand::Place(placement) => self.place(placement)?,
            OrderCommand::Record(report) => {
                let placement = self.placement.clone().ok_or(OrderError::NotPlaced)?;
                self.record(placement, report)
            }
        };
        Ok(event.into_iter().collect())
    }

    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed(placement) => self.placement = Some(placement.clone()),
            OrderEvent::Paid(_) => self.payment = PaymentStatus::Paid,
            OrderEvent::PaymentRefused(_) => self.payment = PaymentStatus::Refused,
            OrderEvent::Refunded(_) => self.payment = PaymentStatus::Refunded,
            OrderEvent::Shipped(_) => self.parcel = ParcelStatus::Shipped,
            OrderEvent::Delivered(_) => self.parcel = ParcelStatus::Delivered,
        }
    }
}

impl Order {
    fn place(&self, placement: OrderPlaced) -> Result<Option<OrderEvent>, OrderError> {
        check(&placement)?;
        match &self.placement {
            None => Ok(Some(OrderEvent::Placed(placement))),
            Some(placed) if *placed == placement => Ok(None),
            Some(_) => Err(OrderError::PlacedOtherwise(placement.order_id)),
        }
    }

    /// `None`: the order knows already.
    fn record(&self, placement: OrderPlaced, report: Report) -> Option<OrderEvent> {
        let awaited = self.payment == PaymentStatus::Pending;
        let order_id = placement.order_id.clone();
        match report {
            Report::Captured(amount_cents) => {
                awaited.then_some(OrderEvent::Paid(OrderPaid { order_id, amount_cents }))
            }
            Report::Refused(reason) => {
                awaited.then_some(OrderEvent::PaymentRefused(OrderRefused { placed: placement, reason }))
            }
            Report::Refunded(amount_cents) => (self.payment != PaymentStatus::Refunded)
                .then(|| OrderEvent::Refunded(refund(placement, amount_cents))),
            Report::Dispatched => (self.parcel == ParcelStatus::Pending)
                .then_some(OrderEvent::Shipped(OrderShipped { order_id })),
            Report::Delivered => (self.parcel != ParcelStatus::Delivered)
                .then_some(OrderEvent::Delivered(OrderDelivered { order_id })),
        }
    }
}

fn check(placement: &OrderPlaced) -> Result<(), OrderError> {
    if !(1..=ITEMS_MAX).contains(&placement.items) {
        return Err(OrderError::Items(placement.items));
    }
    if !(Cents::ZERO..=TOTAL_MAX).contains(&placement.total_cents) {
        return Err(OrderError::Total(placement.total_cents));
    }
    Ok(())
}

fn refund(placement: OrderPlaced, amount_cents: Cents) -> OrderRefunded {
    let OrderPlaced { order_id, customer_id, ordered_on, .. } = placement;
    OrderRefunded { order_id, customer_id, ordered_on, amount_cents }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals::testing::given;

    fn placement() -> OrderPlaced {
        OrderPlaced {
            order_id: "o-1".parse().unwrap(),
            customer_id: "0001".parse().unwrap(),
            ordered_on: "1997-01-18".parse().unwrap(),
            items: 2,
            total_cents: Cents::new(2_973),
        }
    }
    fn placed() -> OrderEvent {
        OrderEvent::Placed(placement())
    }
    fn order_id() -> OrderId {
        placement().order_id
    }
    fn record(report: Report) -> OrderCommand {
        OrderCommand::Record(report)
    }

    #[test]
    fn an_order_is_placed_once_however_often_it_is_asked_for() {
        let place = || OrderCommand::Place(placement());
        given::<Order>([]).when(place()).then([placed()]).when(place()).then_nothing();
        let delivered = OrderEvent::Delivered(OrderDelivered { order_id: order_id() });
        given::<Order>([placed(), delivered]).when(place()).then_nothing();
    }

    #[test]
    fn other_content_under_a_known_id_is_refused() {
        let other = OrderPlaced { items: 3, ..placement() };
        let refused = OrderError::PlacedOtherwise(order_id());
        given::<Order>([placed()]).when(OrderCommand::Place(other)).then_error(refused);
    }

    #[test]
    fn an_order_has_items_and_a_price_within_the_limits() {
        let place = |items, cents| {
            let total_cents = Cents::new(cents);
            given::<Order>([]).when(OrderCommand::Place(OrderPlaced { items, total_cents, ..placement() }))
        };
        place(0, 100).then_error(OrderError::Items(0));
        place(ITEMS_MAX + 1, 100).then_error(OrderError::Items(ITEMS_MAX + 1));
        place(1, -1).then_error(OrderError::Total(Cents::new(-1)));
        place(1, TOTAL_MAX.get() + 1).then_error(OrderError::Total(Cents::new(TOTAL_MAX.get() + 1)));
        let free = OrderPlaced { items: 1, total_cents: Cents::ZERO, ..placement() };
        place(1, 0).then([OrderEvent::Placed(free)]);
    }

    #[test]
    fn a_paid_order_is_shipped_and_delivered_and_each_report_counts_once() {
        let paid = OrderEvent::Paid(OrderPaid { order_id: order_id(), amount_cents: Cents::new(2_973) });
        given::<Order>([placed()])
            .when(record(Report::Captured(Cents::new(2_973))))
            .then([paid])
            .when(record(Report::Captured(Cents::new(2_973))))
            .then_nothing()
            .when(record(Report::Dispatched))
            .then([OrderEvent::Shipped(OrderShipped { order_id: order_id() })])
            .when(record(Report::Dispatched))
            .then_nothing()
            .when(record(Report::Delivered))
            .then([OrderEvent::Delivered(OrderDelivered { order_id: order_id() })])
            .when(record(Report::Delivered))
            .then_nothing();
    }

    #[test]
    fn a_refused_payment_ends_the_sale() {
        let refused = OrderRefused { placed: placement(), reason: "too much".into() };
        given::<Order>([placed()])
            .when(record(Report::Refused("too much".into())))
            .then([OrderEvent::PaymentRefused(refused)])
            .when(record(Report::Captured(Cents::new(1))))
            .then_nothing();
    }

    #[test]
    fn a_refund_may_overtake_the_parcel() {
        let paid = OrderEvent::Paid(OrderPaid { order_id: order_id(), amount_cents: Cents::new(2_973) });
        let refund = refund(placement(), Cents::new(2_973));
        given::<Order>([placed(), paid])
            .when(record(Report::Refunded(Cents::new(2_973))))
            .then([OrderEvent::Refunded(refund)])
            .when(record(Report::Dispatched))
            .then([OrderEvent::Shipped(OrderShipped { order_id: order_id() })])
            .when(record(Report::Refunded(Cents::new(2_973))))
            .then_nothing();
    }

    #[test]
    fn a_report_about_an_order_that_nobody_placed_is_refused() {
        given::<Order>([]).when(record(Report::Dispatched)).then_error(OrderError::NotPlaced);
    }
}
