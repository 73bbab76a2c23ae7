//! What the shop's services have stored stays readable: each form of each event that was ever stored is in `golden/`.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use annals::testing::golden;
use annals_shop::day::Day;
use annals_shop::ids::{CustomerId, OrderId};
use annals_shop::money::Cents;
use annals_shop::orders::events::{
    OrderDelivered, OrderEvent, OrderPaid, OrderPlaced, OrderRefunded, OrderRefused, OrderShipped,
};
use annals_shop::payments::events::{
    PaymentAuthorised, PaymentCaptured, PaymentEvent, PaymentRefunded, PaymentRefused,
};
use annals_shop::shipping::events::{ShipmentDelivered, ShipmentDispatched, ShipmentEvent, ShipmentPrepared};

fn order_id() -> OrderId {
    "o-1".parse().unwrap()
}
fn customer_id() -> CustomerId {
    "0001".parse().unwrap()
}
const CENTS: Cents = Cents::new(2_933);
const REASON: &str = "too much";

#[test]
fn orders_can_be_read_in_every_form() {
    let (order_id, customer_id) = (order_id(), customer_id());
    let ordered_on: Day = "1997-01-18".parse().unwrap();
    let placed = OrderPlaced {
        order_id: order_id.clone(),
        customer_id: customer_id.clone(),
        ordered_on: ordered_on.clone(),
        items: 2,
        total_cents: CENTS,
    };
    golden::<OrderEvent>(
        "tests/golden/orders",
        [
            placed.clone().into(),
            OrderPaid { order_id: order_id.clone(), amount_cents: CENTS }.into(),
            OrderRefused { placed, reason: REASON.into() }.into(),
            OrderShipped { order_id: order_id.clone() }.into(),
            OrderDelivered { order_id: order_id.clone() }.into(),
            OrderRefunded { order_id, customer_id, ordered_on, amount_cents: CENTS }.into(),
        ],
    );
}

#[test]
fn payments_can_be_read_in_every_form() {
    let order_id = order_id();
    golden::<PaymentEvent>(
        "tests/golden/payments",
        [
            PaymentAuthorised { order_id: order_id.clone(), amount_cents: CENTS }.into(),
            PaymentCaptured { order_id: order_id.clone(), amount_cents: CENTS }.into(),
            PaymentRefused { order_id: order_id.clone(), amount_cents: CENTS, reason: REASON.into() }.into(),
            PaymentRefunded { order_id, amount_cents: CENTS }.into(),
        ],
    );
}

#[test]
fn shipments_can_be_read_in_every_form() {
    let order_id = order_id();
    golden::<ShipmentEvent>(
        "tests/golden/shipments",
        [
            ShipmentPrepared { order_id: order_id.clone() }.into(),
            ShipmentDispatched { order_id: order_id.clone() }.into(),
            ShipmentDelivered { order_id }.into(),
        ],
    );
}
