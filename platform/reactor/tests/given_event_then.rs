//! The test kit itself: it passes what is right and shows what is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_reactor::Reactor;
use annals_reactor::testing::given_reactor;
use common::{Account, ChargeOrders, Charged, OrderPlaced};
use std::panic::{UnwindSafe, catch_unwind};

fn placed(cents: u64) -> OrderPlaced {
    OrderPlaced { customer: "ada".to_owned(), cents }
}

fn of_orders() -> Reactor {
    ChargeOrders::default().reactor()
}

fn message_of(test: impl FnOnce() + UnwindSafe) -> String {
    let panic = catch_unwind(test).unwrap_err();
    panic.downcast::<String>().map_or_else(|_| String::from("no message"), |message| *message)
}

#[test]
fn what_is_right_passes() {
    given_reactor(of_orders())
        .event("order-1", placed(5))
        .then_tells::<Account>("ada", |command| command.cents == 5)
        .then_tells::<Account>("house", |command| command.cents == 1)
        .then_nothing()
        .event("order-2", placed(6))
        .event("order-2", placed(7))
        .then_tells::<Account>("ada", |command| command.cents == 6)
        .then_tells::<Account>("house", |_| true)
        .then_tells::<Account>("ada", |command| command.cents == 7);
}

#[test]
fn what_the_reactor_does_not_follow_gives_rise_to_nothing() {
    let other_type = Charged { cents: 5, note: String::new() };
    given_reactor(of_orders()).event("order-1", other_type).then_nothing();
}

#[test]
fn what_the_reactor_tells_otherwise_is_shown() {
    let told = || given_reactor(of_orders()).event("order-1", placed(5));
    let message = message_of(move || drop(told().then_tells::<Account>("ada", |command| command.cents == 6)));
    assert!(message.contains("another command") && message.contains("cents: 5"), "{message}");
    let message = message_of(move || drop(told().then_tells::<Account>("bob", |_| true)));
    assert!(message.contains("for another aggregate") && message.contains("bob"), "{message}");
    let message = message_of(move || drop(told().then_nothing()));
    assert!(message.contains("house"), "{message}");
    let message = message_of(|| drop(given_reactor(of_orders()).then_tells::<Account>("ada", |_| true)));
    assert!(message.contains("tells nothing more"), "{message}");
}
