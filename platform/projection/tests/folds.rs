//! Folds put together from handlers: what each verb does, in what order handlers run, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use annals_derive::{Event, Table};
use annals_event::{EventType, Metadata, Recorded, Timestamp};
use annals_projection::{ApplyError, EventError, Fold, FoldError, ModelError, ReadModel};
use annals_projection_sqlite::testing::{given_model, given_rows};
use annals_store::Activity;
use support::{PATIENCE, World, append_to, state_of};

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "account.opened", version = 1)]
struct Opened {
    account: String,
    cents: i64,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "money.moved", version = 1)]
struct Moved {
    from: String,
    to: String,
    cents: i64,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "interest.paid", version = 1)]
struct InterestPaid {
    accounts: Vec<String>,
    cents: i64,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "account.closed", version = 1)]
struct Closed {
    account: Option<String>,
}

/// The same type as [`Opened`], with fewer fields.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "account.opened", version = 1)]
struct OpenedBriefly {
    account: String,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event)]
enum Bookkeeping {
    Opened(Opened),
    Closed(Closed),
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "account")]
struct Account {
    #[table(key)]
    id: String,
    cents: i64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "note")]
struct Note {
    #[table(key)]
    account: String,
    said: String,
}

fn account(id: &str, cents: i64) -> Account {
    Account { id: id.into(), cents }
}

fn opened(account: &str, cents: i64) -> Opened {
    Opened { account: account.into(), cents }
}

fn moved(from: &str, to: &str, cents: i64) -> Moved {
    Moved { from: from.into(), to: to.into(), cents }
}

fn closed(account: &str) -> Closed {
    Closed { account: Some(account.into()) }
}

fn accounts() -> Fold<Account> {
    Fold::<Account>::new()
        .create(|e: &Recorded<Opened>| e.account.clone(), |e| account(&e.account, e.cents))
        .update(
            |e: &Recorded<Moved>| e.from.clone(),
            |row, e| {
                row.cents = row.cents.checked_sub(e.cents).ok_or_else(|| ApplyError::new("too much"))?;
                Ok(())
            },
        )
        .update(|e: &Recorded<Moved>| e.to.clone(), |row, e| row.cents += e.cents)
        .update(|e: &Recorded<InterestPaid>| e.accounts.clone(), |row, e| row.cents += e.cents)
        .delete(|e: &Recorded<Closed>| e.account.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verb_changes_the_rows_of_its_keys() {
    given_rows(accounts())
        .events("account-a", [opened("a", 10), opened("b", 5)])
        .event("bank-1", moved("a", "b", 3))
        .then([account("a", 7), account("b", 8)])
        .await
        .event("bank-1", InterestPaid { accounts: vec!["b".into(), "a".into(), "b".into()], cents: 1 })
        .then([account("a", 8), account("b", 9)])
        .await
        .event("account-a", closed("a"))
        .event("account-a", closed("never there"))
        .event("account-a", Closed { account: None })
        .event("account-a", opened("a", 1))
        .then([account("a", 1), account("b", 9)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_create_and_an_update_of_no_row_name_the_row() {
    let given = given_rows(accounts()).event("account-a", opened("a", 1)).event("account-a", opened("a", 2));
    given.then_error("the row id='a' of table \"account\" is there already").await;
    let given = given_rows(accounts()).event("account-a", opened("a", 1)).event("bank-1", moved("a", "b", 1));
    given.then_error("the row id='b' of table \"account\" is not there").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_and_a_row_with_another_key_are_errors_of_the_event() {
    let given = given_rows(accounts()).events("account-a", [opened("a", i64::MIN), opened("b", 0)]);
    given.event("bank-1", moved("a", "b", 1)).then_error("too much").await;
    let wrong = Fold::<Account>::new()
        .create(|e: &Recorded<Opened>| e.account.clone(), |e| account(&format!("{}2", e.account), 0));
    let given = given_rows(wrong).event("account-a", opened("a", 1));
    given.then_error("makes the row id='a2' of table \"account\" of the row id='a' of table").await;
    let refusing = Fold::<Account>::new().create(
        |e: &Recorded<Opened>| e.account.clone(),
        |e| i64::try_from(u64::MAX).map(|cents| account(&e.account, cents)).map_err(ApplyError::new),
    );
    given_rows(refusing).event("account-a", opened("a", 1)).then_error("out of range").await;
}

/// What the handlers said, one after the other, in one row an account.
fn notes() -> Fold<Note> {
    let note = |row: &mut Option<Note>, account: &String, said: &str| {
        let row = row.get_or_insert_with(|| Note { account: account.clone(), said: String::new() });
        row.said.push_str(said);
    };
    Fold::<Note>::new()
        .on(|e: &Recorded<Opened>| e.account.clone(), move |row, key, _| note(row, key, "1"))
        .on(|e: &Recorded<Bookkeeping>| key_of(e), move |row, key, _| note(row, key, "2"))
        .on(|e: &Recorded<OpenedBriefly>| e.account.clone(), move |row, key, _| note(row, key, "3"))
        .on(|e: &Recorded<Opened>| e.account.clone(), move |row, key, _| note(row, key, "4"))
}

fn key_of(event: &Bookkeeping) -> Option<String> {
    match event {
        Bookkeeping::Opened(opened) => Some(opened.account.clone()),
        Bookkeeping::Closed(closed) => closed.account.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_one_event_run_in_order_whatever_rust_type_they_take() {
    let note = |said: &str| Note { account: "a".into(), said: said.into() };
    given_rows(notes())
        .event("account-a", opened("a", 1))
        .then([note("1234")])
        .await
        .events("account-a", [Bookkeeping::Closed(closed("a")), Bookkeeping::Opened(opened("a", 1))])
        .then([note("123421234")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_model_has_several_tables_and_reads_what_its_handlers_take() {
    let model = ReadModel::named("bank").table(accounts()).table(notes()).build().unwrap();
    let types: Vec<&str> = model.filter().event_types.iter().map(EventType::as_str).collect();
    assert_eq!(types, ["account.closed", "account.opened", "interest.paid", "money.moved"]);
    assert!(model.filter().categories.is_empty(), "of any service's streams");
    given_model(&model)
        .event("account-a", opened("a", 1))
        .event("branch-7", moved("a", "a", 5))
        .then_rows([account("a", 1)])
        .await
        .then_rows([Note { account: "a".into(), said: "1234".into() }])
        .await;
}

#[test]
fn a_fold_without_handlers_is_refused() {
    let built = ReadModel::named("bank").table(Fold::<Account>::new()).build();
    assert_eq!(built.unwrap_err(), ModelError::NoHandler("account".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_sees_the_time_and_the_metadata_that_the_test_sets() {
    let fold = Fold::<Note>::new().upsert(
        |e: &Recorded<Opened>| e.account.clone(),
        |e| Note { account: e.account.clone(), said: String::new() },
        |row, e| {
            let actor = e.metadata.actor.clone().unwrap_or_default();
            row.said.push_str(&format!("{}{actor} ", e.recorded_at.as_micros()));
        },
    );
    given_rows(fold)
        .at("1970-01-01T00:00:01Z")
        .event("account-a", opened("a", 1))
        .at(Timestamp::from_micros(2_000_000))
        .metadata(Metadata { actor: Some("ann".into()), ..Metadata::default() })
        .event("account-a", opened("a", 1))
        .then([Note { account: "a".into(), said: "1000000 2000000ann ".into() }])
        .await;
}

/// Fails at the event that opens the account `at`, while it is decoded or while it is applied.
fn failing(at: &'static str, decoding: bool) -> (Fold<Account>, Fold<Note>) {
    let fails = move |e: &Recorded<Opened>, wanted: bool| wanted && e.account == at;
    let accounts = Fold::<Account>::new().on(
        move |e: &Recorded<Opened>| {
            assert!(!fails(e, decoding), "no key");
            e.account.clone()
        },
        move |row, _, e| {
            *row = Some(account(&e.account, e.cents));
            if fails(e, !decoding) { Err(ApplyError::new("no row")) } else { Ok(()) }
        },
    );
    let notes = Fold::<Note>::new().on(
        move |e: &Recorded<Opened>| {
            assert!(!(decoding && e.account == "a3"), "no key");
            e.account.clone()
        },
        move |row, key, e| {
            *row = Some(Note { account: key.clone(), said: String::new() });
            if !decoding && e.account == "a3" { Err(ApplyError::new("no row")) } else { Ok(()) }
        },
    );
    (accounts, notes)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_earlier_event_at_which_a_table_fails_is_named_all_before_is_folded() {
    for decoding in [true, false] {
        let world = World::new();
        let (accounts, notes) = failing("a7", decoding);
        let model = ReadModel::named("bank").table(accounts).table(notes).build().unwrap();
        let events: Vec<Opened> = (0..10).map(|at| opened(&format!("a{at}"), at)).collect();
        append_to(&world.store, "account-a", &events).await;
        let running = world.start(&model).await;
        let handle = running.handle.clone();
        let ended = running.ended().await;
        let Some(FoldError::Event(EventError { sequence, reason, .. })) = ended.fold_error() else {
            panic!("{ended}");
        };
        assert!(reason.contains(if decoding { "no key" } else { "no row" }), "{reason}");
        let mut reader = handle.wait_for(sequence.previous(), PATIENCE).await.unwrap();
        assert_eq!(reader.checkpoint(), sequence.previous());
        assert_eq!(reader.all::<Account>().await.unwrap().len(), 3);
        assert_eq!(reader.all::<Note>().await.unwrap().len(), 3);
    }
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "average")]
struct Average {
    #[table(key)]
    account: String,
    cents: i32,
    payments: i32,
    average: f64,
}

/// The average payment is no number while the account has had none.
fn averages() -> Fold<Average> {
    let empty =
        |e: &Recorded<Opened>| Average { account: e.account.clone(), cents: 0, payments: 0, average: 0.0 };
    let pay = |row: &mut Average, cents: i64| {
        row.cents += i32::try_from(cents).unwrap();
        row.payments += i32::from(cents > 0);
        row.average = f64::from(row.cents) / f64::from(row.payments);
    };
    Fold::<Average>::new()
        .upsert(|e: &Recorded<Opened>| e.account.clone(), empty, move |row, e| pay(row, e.cents))
        .update(|e: &Recorded<Moved>| e.to.clone(), move |row, e| pay(row, e.cents))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_stored_ends_the_fold_however_batches_are_cut() {
    let model = ReadModel::named("bank").table(averages()).build().unwrap();
    // Opened without money, 0.0 / 0.0; the next event makes a number of it.
    let given = given_model(&model).event("account-a", opened("a", 0)).event("bank-1", moved("b", "a", 3));
    given.then_error("column \"average\": NaN is not a value").await;

    let world = World::new();
    append_to(&world.store, "account-b", &[opened("b", 5)]).await;
    let at = append_to(&world.store, "account-a", &[opened("a", 0)]).await;
    append_to(&world.store, "bank-1", &[moved("b", "a", 3)]).await;
    let running = world.start(&model).await;
    let handle = running.handle.clone();
    let ended = running.ended().await;
    let Some(FoldError::Event(EventError { sequence, .. })) = ended.fold_error() else { panic!("{ended}") };
    assert_eq!(*sequence, at);
    let reader = handle.wait_for(at.previous(), PATIENCE).await.unwrap();
    assert_eq!(reader.checkpoint(), at.previous());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_names_the_event_and_the_error_names_the_row() {
    let world = World::new();
    let model = ReadModel::named("bank").table(accounts()).build().unwrap();
    let (known, long) = ("ann@example.org\n", "x".repeat(1_000));
    let at = append_to(&world.store, "person-ann", &[moved(&format!("{known}{long}"), "b", 1)]).await;
    let running = world.start(&model).await;
    let state = state_of(&running.handle, |state| matches!(state.activity, Activity::Stopped { .. })).await;
    let told =
        format!("event {at}, of category \"person\", cannot be applied; the process's log lines say why");
    assert_eq!(state.activity.reason(), Some(told.as_str()));

    let error = running.ended().await.to_string();
    assert!(error.contains("the row id='ann@example.org\\nxxx"), "{error}");
    assert!(error.contains("xxx'... of table \"account\" is not there"), "{error}");
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
}
