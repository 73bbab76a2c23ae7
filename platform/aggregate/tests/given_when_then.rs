//! The test kit itself: it passes what is right and shows what is not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use annals_aggregate::{
    decision::{Draft, Seen},
    testing::{given, given_subjects},
};
use common::{Account, AccountCommand, AccountError, AccountEvent, deposit, open};
use std::panic::{UnwindSafe, catch_unwind};

fn opened() -> AccountEvent {
    AccountEvent::Opened { owner: "Ada".into(), currency: "EUR".into() }
}

fn deposited(cents: u64) -> AccountEvent {
    AccountEvent::Deposited { cents }
}

fn message_of(test: impl FnOnce() + UnwindSafe) -> String {
    let panic = catch_unwind(test).unwrap_err();
    panic.downcast::<String>().map_or_else(|_| String::from("no message"), |message| *message)
}

#[test]
fn what_is_right_passes() {
    given::<Account>([]).when(open()).then([opened()]).when(deposit(5)).then([deposited(5)]);
    given::<Account>([opened()]).when(open()).then_nothing();
    given::<Account>([]).when(deposit(5)).then_error(AccountError::NotOpen);
    given::<Account>([]).when(deposit(5)).then_error_that(|error| *error == AccountError::NotOpen);
    let account = Account { owner: "Ada".into(), currency: "EUR".into(), balance_cents: 12 };
    given::<Account>([opened(), deposited(12)]).then_state(&account);
    given::<Account>([opened(), deposited(12)]).when(AccountCommand::FillUp { cents: 12 }).then_nothing();
}

#[test]
fn other_events_are_shown_line_by_line() {
    let message = message_of(|| {
        given::<Account>([opened()])
            .when(AccountCommand::Split { deposits: 2 })
            .then([deposited(1), deposited(2)]);
    });
    let expected = "the events differ (- expected, + actual)
  Deposited {
      cents: 1,
  }
  Deposited {
-     cents: 2,
+     cents: 1,
  }
";
    assert_eq!(message, expected);
}

#[test]
fn a_refusal_where_events_were_expected_says_why() {
    let message = message_of(|| {
        given::<Account>([]).when(deposit(5)).then([deposited(5)]);
    });
    assert!(message.ends_with("but the command was refused: the account is not open"), "{message}");
}

#[test]
fn events_where_a_refusal_was_expected_are_shown() {
    let message =
        message_of(|| given::<Account>([opened()]).when(deposit(5)).then_error(AccountError::NotOpen));
    assert!(message.contains("cents: 5"), "{message}");
}

/// Deposits as much into the second account as the first one has.
fn match_the_first((first, second): &mut (Seen<Account>, Draft<Account>)) -> Result<(), AccountError> {
    second.execute(AccountCommand::FillUp { cents: first.balance_cents })
}

fn account(balance_cents: u64) -> Account {
    Account { owner: "Ada".into(), currency: "EUR".into(), balance_cents }
}

#[test]
fn decisions_over_several_streams_are_tested_the_same_way() {
    given_subjects((Seen::from(account(30)), account(10)))
        .when(match_the_first)
        .then(((), vec![deposited(20)]));
    given_subjects((Seen::from(account(30)), account(30))).when(match_the_first).then_nothing();
    given_subjects((Seen::from(account(0)), Account::default()))
        .when(match_the_first)
        .then_error(AccountError::NotOpen);
    given_subjects((account(5), account(0), Account::default()))
        .when(|(a, b, c)| {
            b.execute(deposit(a.balance_cents))?;
            c.execute(deposit(1))
        })
        .then_error_that(|error| *error == AccountError::NotOpen);
}

#[test]
fn what_a_decision_did_otherwise_is_shown_by_subject() {
    let message = message_of(|| {
        given_subjects((account(5), account(0)))
            .when(|(a, b)| b.execute(deposit(a.balance_cents)))
            .then((vec![], vec![deposited(6)]));
    });
    assert!(message.starts_with("the events of the account differ"), "{message}");
    assert!(message.contains("-     cents: 6") && message.contains("+     cents: 5"), "{message}");
}
