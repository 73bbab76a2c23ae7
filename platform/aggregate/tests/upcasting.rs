//! Older forms of events, read as the newest one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::{Aggregate, Cause, ExecuteError, FoldError, LoadError, Loaded, Repository};
use annals_event::{EventBatchBuilder, EventType, NewEvent, Sequence, Timestamp, Version};
use annals_store::{EventStore, GappedStore, ReadLog};
use common::{Account, AccountCommand, AccountError, AccountEvent, accounts, stream, write_raw};
use std::sync::Arc;

#[tokio::test]
async fn each_older_form_runs_through_the_rest_of_the_chain() {
    let store = GappedStore::new();
    write_raw(&store, "1", "account.opened", 1, r#"{"name":"Ada"}"#).await;
    write_raw(&store, "2", "account.opened", 2, r#"{"owner":"Ada"}"#).await;
    write_raw(&store, "3", "account.opened", 3, r#"{"owner":"Ada","currency":"USD"}"#).await;
    for id in ["1", "2", "3"] {
        let expected = Account { owner: "Ada".into(), currency: "USD".into(), balance_cents: 0 };
        assert_eq!(accounts(&store).load(id).await.unwrap().state, expected);
    }
}

#[tokio::test]
async fn what_is_stored_is_never_rewritten() {
    let store = GappedStore::new();
    write_raw(&store, "1", "account.opened", 1, r#"{"name":"Ada"}"#).await;
    let read = || store.read_log(ReadLog::from(Sequence::FIRST));
    let before = read().await.unwrap();
    accounts(&store).load("1").await.unwrap();
    assert_eq!(read().await.unwrap(), before);
}

#[tokio::test]
async fn whoever_reads_a_stored_event_reads_its_newest_form() {
    let store = GappedStore::new();
    write_raw(&store, "1", "account.opened", 2, r#"{"owner":"Ada"}"#).await;
    write_raw(&store, "1", "account.frozen", 9, "{}").await;
    let page = store.read_log(ReadLog::from(Sequence::FIRST)).await.unwrap();
    let decoded: Vec<_> = page.events.iter().map(|event| annals_event::decode(&event).unwrap()).collect();
    let opened = AccountEvent::Opened { owner: "Ada".into(), currency: "USD".into() };
    assert_eq!(decoded, [Some(opened), None]);
}

async fn error_of(repository: Repository<Account>) -> String {
    repository.load("1").await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_function_that_fails_is_named_with_its_reason() {
    let store = GappedStore::new();
    write_raw(&store, "1", "account.opened", 1, "{}").await;
    let error = error_of(accounts(&store)).await;
    assert!(error.contains("name is missing"), "{error}");
}

#[tokio::test]
async fn an_event_of_a_later_release_is_not_guessed_at() {
    let store = GappedStore::new();
    write_raw(&store, "1", "account.opened", 4, "{}").await;
    let error = error_of(accounts(&store)).await;
    assert!(error.contains("schema version 4 is newer than 3"), "{error}");
}

/// An older release did not check schema versions, so its log may hold such events.
#[test]
fn a_stored_event_of_schema_version_0_is_an_error_of_that_event() {
    let event = NewEvent::json(EventType::new("account.deposited").unwrap(), r#"{"cents":1}"#);
    let mut batch = EventBatchBuilder::default();
    let event = NewEvent { schema_version: 0, ..event };
    batch.push_new(&stream("1"), &event, Sequence::FIRST, Version::FIRST, Timestamp::default()).unwrap();
    let folded = Loaded::<Account>::new().fold(&batch.build().unwrap());
    let error = folded.unwrap_err().to_string();
    assert!(
        error.contains("\"account.deposited\": schema version 0 is stored; versions begin at 1"),
        "{error}"
    );
}

/// An account that skips nothing.
#[derive(Clone, Debug, Default)]
struct Strict(Account);

impl Aggregate for Strict {
    const CATEGORY: &'static str = Account::CATEGORY;
    const PASSES_OVER_UNKNOWN_TYPES: bool = false;
    type Event = AccountEvent;
    type Command = AccountCommand;
    type Error = AccountError;

    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        self.0.decide(command)
    }
    fn evolve(&mut self, event: &AccountEvent) {
        self.0.evolve(event);
    }
}

#[tokio::test]
async fn an_event_of_an_unknown_type_is_skipped_unless_the_aggregate_forbids_it() {
    let store = GappedStore::new();
    write_raw(&store, "1", "account.opened", 3, r#"{"owner":"Ada","currency":"USD"}"#).await;
    write_raw(&store, "1", "account.frozen", 1, "{}").await;
    let deposit = AccountCommand::Deposit { cents: 1 };
    let strict = Repository::<Strict>::new(Arc::new(store.clone()));
    let refused = strict.execute("1", deposit.clone(), Cause::new()).await.unwrap_err();
    assert!(
        matches!(&refused, ExecuteError::Load(LoadError::Fold(FoldError::UnknownType { .. }))),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("version 2: event type \"account.frozen\" is not known"),
        "{refused}"
    );
    accounts(&store).execute("1", deposit, Cause::new()).await.unwrap();
}
