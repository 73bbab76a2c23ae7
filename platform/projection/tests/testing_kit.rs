//! The kit for tests of projections passes what is right and notices what is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::{Recorded, Timestamp, Version};
use annals_projection::{ApplyError, ReadModel, TableProjection};
use annals_projection_sqlite::testing::given_model;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use support::{Account, Accounts, Till, left, model, sold};

fn account(customer: &str, sales: i64, cents: i64, last: &str) -> Account {
    Account { customer: customer.into(), sales, cents, last_item: Some(last.into()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_events_then_rows() {
    given_model(&model())
        .events("till-1", [sold("ann", "cd", 100), sold("bob", "lp", 5), sold("ann", "mc", 1)])
        .then_rows([account("ann", 2, 101, "mc"), account("bob", 1, 5, "lp")])
        .await
        .events("till-2", [left("ann")])
        .then_rows([account("bob", 1, 5, "lp")])
        .await;
}

/// What a test is told that ends in a panic.
async fn told(test: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(test).await.unwrap_err().into_panic();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rows_are_told_with_the_line_of_the_test_and_the_difference() {
    let told = told(async {
        let given = given_model(&model()).events("till-1", [sold("ann", "cd", 1), sold("bob", "lp", 5)]);
        given.then_rows([account("ann", 1, 2, "cd"), account("bob", 1, 5, "lp")]).await;
    })
    .await;
    let place = format!("{}:{}:", file!(), line!() - 3);
    assert!(told.starts_with(&place), "{place} {told}");
    let lines: Vec<&str> = told.lines().map(str::trim_end).collect();
    assert!(lines[0].ends_with("the rows differ (- expected, + actual)"), "{told}");
    let changed = lines.iter().filter(|line| line.starts_with(['-', '+'])).copied();
    assert_eq!(changed.collect::<Vec<_>>(), ["-     cents: 2,", "+     cents: 1,"], "{told}");
}

#[test]
#[should_panic(expected = "a given event cannot be appended: ")]
fn a_given_event_that_cannot_be_appended_ends_the_test() {
    let _ = given_model(&model()).events("", [sold("ann", "cd", 1)]);
}

#[test]
#[should_panic(expected = "\"tomorrow\" is no time; write it like 2026-11-27T09:00Z")]
fn a_text_that_is_no_time_ends_the_test() {
    let _ = given_model(&model()).at("tomorrow");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expected_error_is_compared_with_the_one_of_the_event() {
    given_model(&model()).events("till-1", [Till::Broken]).then_error("the till is broken").await;
    let other = told(async {
        given_model(&model()).events("till-1", [Till::Broken]).then_error("the till is open").await;
    })
    .await;
    assert!(
        other.ends_with("expected \"the till is open\", but the reason is \"the till is broken\""),
        "{other}"
    );
    let none = told(async {
        given_model(&model()).events("till-1", [left("ann")]).then_error("the till is broken").await;
    })
    .await;
    assert!(none.ends_with("but every event can be applied"), "{none}");
}

/// A fold that is not deterministic: it counts its own calls.
struct Counting(AtomicI64);

impl TableProjection for Counting {
    type Event = Till;
    type Row = Account;

    fn keys(&self, event: &Recorded<Till>) -> Vec<String> {
        Accounts::default().keys(event)
    }
    fn fold(&self, row: &mut Option<Account>, key: &String, _: &Recorded<Till>) -> Result<(), ApplyError> {
        *row = Some(account(key, 1, self.0.fetch_add(1, Ordering::SeqCst), "cd"));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "one by one")]
async fn a_fold_that_is_not_deterministic_is_noticed() {
    let model = ReadModel::named("counting").projection(Counting(AtomicI64::new(0))).build().unwrap();
    given_model(&model)
        .events("till-1", [sold("ann", "cd", 1)])
        .then_rows([account("ann", 1, 0, "cd")])
        .await;
}

/// Notes when each customer was last there, in place of the item.
struct LastSeen;

impl TableProjection for LastSeen {
    type Event = Till;
    type Row = Account;

    fn keys(&self, event: &Recorded<Till>) -> Vec<String> {
        Accounts::default().keys(event)
    }
    fn fold(
        &self,
        row: &mut Option<Account>,
        key: &String,
        event: &Recorded<Till>,
    ) -> Result<(), ApplyError> {
        *row = Some(account(key, 1, 1, &event.recorded_at.as_micros().to_string()));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_events_were_recorded_when_the_test_says() {
    let model = ReadModel::named("last_seen").projection(LastSeen).build().unwrap();
    given_model(&model)
        .at(Timestamp::from_micros(1_000))
        .events("till-1", [sold("ann", "cd", 1), sold("bob", "cd", 1)])
        .at(Timestamp::from_micros(2_000))
        .events("till-1", [sold("bob", "cd", 1)])
        .then_rows([account("ann", 1, 1, "1000"), account("bob", 1, 1, "2000")])
        .await;
}

/// A fold that passes over what it has folded before, as it remembers itself; it begins anew with the log.
#[derive(Default)]
struct Remembering(AtomicU64);

impl TableProjection for Remembering {
    type Event = Till;
    type Row = Account;

    fn keys(&self, event: &Recorded<Till>) -> Vec<String> {
        Accounts::default().keys(event)
    }
    fn fold(
        &self,
        row: &mut Option<Account>,
        key: &String,
        event: &Recorded<Till>,
    ) -> Result<(), ApplyError> {
        let sequence = event.sequence.get();
        let before = self.0.swap(sequence, Ordering::SeqCst);
        if sequence > before || event.version == Version::FIRST {
            Accounts::default().fold(row, key, event)?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "delivered twice")]
async fn a_fold_that_remembers_what_was_taken_back_is_noticed() {
    let projection = Remembering::default();
    let model = ReadModel::named("remembering").projection(projection).build().unwrap();
    given_model(&model)
        .events("till-1", [sold("ann", "cd", 1), sold("ann", "lp", 1)])
        .then_rows([account("ann", 2, 2, "lp")])
        .await;
}
