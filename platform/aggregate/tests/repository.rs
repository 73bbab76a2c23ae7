//! Executing commands: what is written, under which version, and what the caller learns.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::{Cause, ExecuteError, FoldError, LoadError, Loaded, Repository, RequestContent};
use annals_event::{CorrelationId, ExpectedVersion, Recorded, RequestId, Sequence, Version};
use annals_store::{AppendError, EventStore, GappedStore, ReadLog};
use common::{
    Account, AccountCommand, AccountError, AccountEvent, Fault, FaultyStore, accounts, deposit, open,
    write_raw,
};
use std::sync::{Arc, atomic::Ordering};

async fn balance(accounts: &Repository<Account>) -> u64 {
    accounts.load("1").await.unwrap().state.balance_cents
}

#[tokio::test]
async fn a_command_becomes_events_and_a_token() {
    let store = GappedStore::new();
    let accounts = accounts(&store);
    let opened = accounts.execute("1", open(), Cause::new()).await.unwrap();
    assert_eq!((opened.version, opened.token), (Version::FIRST, store.head().await.unwrap().last.into()));
    assert!(!opened.repeated);
    assert_eq!(opened.events[0].event, AccountEvent::Opened { owner: "Ada".into(), currency: "EUR".into() });

    let split = accounts.execute("1", AccountCommand::Split { deposits: 3 }, Cause::new()).await.unwrap();
    let versions: Vec<_> = split.events.iter().map(|event| event.version.get()).collect();
    assert_eq!((versions, split.version), (vec![2, 3, 4], Version::new(4)));
    assert_eq!(split.token, store.head().await.unwrap().last.into());
    let loaded = accounts.load("1").await.unwrap();
    assert_eq!((loaded.state, loaded.version, loaded.token), (split.state, split.version, split.token));
}

#[tokio::test]
async fn an_aggregate_that_nothing_happened_to_has_the_default_state() {
    let loaded = accounts(&GappedStore::new()).load("1").await.unwrap();
    assert_eq!(loaded, Loaded::new());
    assert_eq!(loaded.expected(), ExpectedVersion::NoStream);
}

#[tokio::test]
async fn there_is_a_token_also_when_there_was_nothing_to_do() {
    let store = GappedStore::new();
    let accounts = accounts(&store);
    let opened = accounts.execute("1", open(), Cause::new()).await.unwrap();
    accounts.execute("2", open(), Cause::new()).await.unwrap();
    let again = accounts.execute("1", open(), Cause::new()).await.unwrap();
    assert!(again.events.is_empty());
    assert_eq!((again.token, again.version, again.state), (opened.token, opened.version, opened.state));
}

#[tokio::test]
async fn a_refused_command_writes_nothing() {
    let store = GappedStore::new();
    let refused = accounts(&store).execute("1", deposit(1), Cause::new()).await;
    assert!(matches!(refused, Err(ExecuteError::Rejected(AccountError::NotOpen))));
    assert_eq!(store.head().await.unwrap().last, Sequence::ZERO);
}

#[tokio::test]
async fn a_stream_of_many_pages_is_loaded_whole() {
    let accounts = accounts(&GappedStore::new());
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    accounts.execute("1", AccountCommand::Split { deposits: 2_500 }, Cause::new()).await.unwrap();
    assert_eq!(balance(&accounts).await, 2_500);
    assert_eq!(accounts.history("1").await.unwrap().len(), 2_501);
}

#[tokio::test]
async fn metadata_says_who_asked_and_which_service_wrote() {
    let store = GappedStore::new();
    let accounts = accounts(&store).service("bank");
    let cause = Cause::new().actor("teller-7").tenant("north");
    let opened = accounts.execute("1", open(), cause).await.unwrap();
    let opening: Recorded<_> = accounts.history("1").await.unwrap().remove(0);
    assert_eq!(opening.metadata.headers["service"], "bank");
    assert_eq!(opening.metadata.actor.as_deref(), Some("teller-7"));
    let chain = CorrelationId::from(opened.events[0].id);
    assert_eq!(opening.metadata.correlation_id, Some(chain), "correlated by the chain's first event");

    accounts.execute("1", AccountCommand::Split { deposits: 2 }, &opening).await.unwrap();
    for effect in &accounts.history("1").await.unwrap()[1..] {
        assert_eq!(effect.metadata.correlation_id, Some(chain));
        assert_eq!(effect.metadata.causation_id, Some(opening.id));
        assert_eq!(effect.metadata.tenant.as_deref(), Some("north"));
    }
}

#[tokio::test]
async fn a_decision_is_made_again_when_another_was_written_in_between() {
    let store = FaultyStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    accounts.execute("1", open(), Cause::new()).await.unwrap();

    // 1. A decides to fill the empty account up to 100, and stops before its append.
    store.next_appends([Fault::Pause]);
    let a = accounts.clone();
    let a = tokio::spawn(
        async move { a.execute("1", AccountCommand::FillUp { cents: 100 }, Cause::new()).await },
    );
    store.arrived.notified().await;
    // 2. B deposits 30.
    accounts.execute("1", deposit(30), Cause::new()).await.unwrap();
    // 3. A goes on, meets B's event, and decides again.
    store.go.notify_one();
    let filled = a.await.unwrap().unwrap();

    assert_eq!(filled.events.len(), 1);
    assert_eq!(filled.events[0].event, AccountEvent::Deposited { cents: 70 });
    assert_eq!((filled.version, balance(&accounts).await), (Version::new(3), 100));
}

#[tokio::test]
async fn two_that_open_the_same_account_at_once_open_it_once() {
    let store = FaultyStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    store.next_appends([Fault::Pause]);
    let a = accounts.clone();
    let a = tokio::spawn(async move { a.execute("1", open(), Cause::new()).await });
    store.arrived.notified().await;
    let b = accounts.execute("1", open(), Cause::new()).await.unwrap();
    store.go.notify_one();
    let a = a.await.unwrap().unwrap();
    assert_eq!((a.events.len(), b.events.len()), (0, 1));
    assert_eq!(a.token, b.token, "the loser's token shows the winner's event");
}

#[tokio::test(start_paused = true)]
async fn decisions_are_made_again_only_so_often() {
    let store = FaultyStore::new();
    let accounts = Repository::<Account>::new(store.clone()).conflict_retries_max(2);
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    store.next_appends([Fault::Pause; 3]);
    let unlucky = accounts.clone();
    let unlucky = tokio::spawn(async move { unlucky.execute("1", deposit(1), Cause::new()).await });
    for _ in 0..3 {
        store.arrived.notified().await;
        write_raw(&store.inner, "1", "account.deposited", 1, r#"{"cents":1}"#).await;
        store.go.notify_one();
    }
    let gave_up = unlucky.await.unwrap();
    assert!(matches!(gave_up, Err(ExecuteError::Contended { attempts: 3, .. })), "{gave_up:?}");
    assert_eq!(balance(&accounts).await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_is_lost_is_done_once_when_it_is_requested_again() {
    let store = FaultyStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    store.next_appends([Fault::Refuse, Fault::LoseAnswer]);
    let request = || Cause::new().request(RequestId::from_name("transfer 8"));
    for _ in 0..2 {
        let failed = accounts.execute("1", deposit(5), request()).await;
        assert!(is_unavailable(&failed), "{failed:?}");
    }
    let deposited = accounts.execute("1", deposit(5), request()).await.unwrap();
    assert!(deposited.repeated);
    assert_eq!((deposited.version, balance(&accounts).await), (Version::new(2), 5));
    assert_eq!(deposited.token, store.head().await.unwrap().last.into());
}

/// The adapter has tried for as long as the call may take, and the caller may try again: a third would multiply both.
#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_asked_once() {
    let store = FaultyStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    store.next_appends([Fault::Refuse; 100]);
    let failed = accounts.execute("1", open(), Cause::new()).await;
    assert!(is_unavailable(&failed), "{failed:?}");
    assert_eq!(store.appends.load(Ordering::SeqCst), 1);

    store.is_away.store(true, Ordering::SeqCst);
    store.reads.store(0, Ordering::SeqCst);
    assert!(matches!(accounts.load("1").await, Err(LoadError::Read { .. })));
    assert_eq!(store.reads.load(Ordering::SeqCst), 1);
}

fn is_unavailable<T, E: std::error::Error>(executed: &Result<T, ExecuteError<E>>) -> bool {
    matches!(executed, Err(ExecuteError::Append { cause: AppendError::Unavailable { .. }, .. }))
}

#[tokio::test]
async fn a_request_that_is_repeated_gets_the_first_ones_events() {
    let store = GappedStore::new();
    let accounts = accounts(&store);
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    let request = || Cause::new().request(RequestId::from_name("transfer 7"));
    let first = accounts.execute("1", AccountCommand::Split { deposits: 2 }, request()).await.unwrap();
    accounts.execute("1", deposit(10), Cause::new()).await.unwrap();

    let again = accounts.execute("1", AccountCommand::Split { deposits: 2 }, request()).await.unwrap();
    assert!(again.repeated && !first.repeated);
    assert_eq!((&again.events, again.token, again.version), (&first.events, first.token, first.version));
    assert_eq!((again.state, balance(&accounts).await), (first.state, 12));
}

#[tokio::test]
async fn a_repeated_request_that_the_store_forgot_is_not_executed_twice() {
    let store = FaultyStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    let request = || Cause::new().request(RequestId::from_name("transfer 7"));
    let first = accounts.execute("1", deposit(5), request()).await.unwrap();
    accounts.execute("1", deposit(10), Cause::new()).await.unwrap();

    store.next_appends([Fault::Forget]);
    let again = accounts.execute("1", deposit(5), request()).await.unwrap();
    assert!(again.repeated);
    assert_eq!((again.events, again.token), (first.events, first.token));
    store.next_appends([Fault::Forget]);
    let other = accounts.execute("1", deposit(6), request()).await;
    let reused = |cause: &AppendError| matches!(cause, AppendError::RequestIdReused { .. });
    assert!(matches!(&other, Err(ExecuteError::Append { cause, .. }) if reused(cause)), "{other:?}");
    assert_eq!(balance(&accounts).await, 15);
}

#[tokio::test]
async fn a_repeated_request_is_recognised_also_where_nothing_is_left_to_do() {
    let accounts = accounts(&GappedStore::new());
    let request = || Cause::new().request(RequestId::from_name("opening"));
    let first = accounts.execute("1", open(), request()).await.unwrap();
    let again = accounts.execute("1", open(), request()).await.unwrap();
    assert!(again.repeated);
    assert_eq!((again.events, again.token), (first.events, first.token));
}

#[tokio::test]
async fn a_request_id_that_is_used_for_another_command_is_refused() {
    let store = GappedStore::new();
    let accounts = accounts(&store);
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    let request_id = RequestId::from_name("transfer 7");
    let request = || Cause::new().request(request_id);
    accounts.execute("1", deposit(5), request()).await.unwrap();
    // Another decision, none at all, and a refusal: each time the id gives the error.
    for command in [deposit(6), open(), AccountCommand::Split { deposits: 0 }] {
        let refused = accounts.execute("1", command, request()).await;
        let Err(ExecuteError::Append { cause: AppendError::RequestIdReused { request_id: of }, .. }) =
            refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(of, request_id);
    }
    assert_eq!(balance(&accounts).await, 5);
}

#[tokio::test]
async fn a_request_of_equal_content_is_a_repeat_whatever_its_command_is_now() {
    let accounts = accounts(&GappedStore::new());
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    let asking = |content: u8| {
        Cause::new().request(RequestId::from_name("transfer 7")).content(RequestContent::from([content; 16]))
    };
    let first = accounts.execute("1", deposit(5), asking(1)).await.unwrap();
    for command in [deposit(6), open(), AccountCommand::Split { deposits: 0 }] {
        let again = accounts.execute("1", command.clone(), asking(1)).await.unwrap();
        assert!(again.repeated, "{command:?}");
        assert_eq!((&again.events, again.token, &again.state), (&first.events, first.token, &first.state));
    }
    for other in [deposit(5), deposit(6)] {
        let refused = accounts.execute("1", other, asking(2)).await;
        let reused = |cause: &AppendError| matches!(cause, AppendError::RequestIdReused { .. });
        assert!(matches!(&refused, Err(ExecuteError::Append { cause, .. }) if reused(cause)), "{refused:?}");
    }
    assert_eq!(balance(&accounts).await, 5);
}

#[tokio::test]
async fn a_request_that_is_made_twice_at_once_is_executed_once() {
    let store = FaultyStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    let request = || Cause::new().request(RequestId::from_name("transfer 7"));
    // 1. A stops before its append. 2. B, the same request, goes through. 3. A goes on.
    store.next_appends([Fault::Pause]);
    let a = accounts.clone();
    let a = tokio::spawn(async move { a.execute("1", deposit(5), request()).await });
    store.arrived.notified().await;
    let b = accounts.execute("1", deposit(5), request()).await.unwrap();
    store.go.notify_one();
    let a = a.await.unwrap().unwrap();
    assert_eq!((a.repeated, b.repeated), (true, false));
    assert_eq!((a.events, a.token, a.state), (b.events, b.token, b.state));
    assert_eq!(balance(&accounts).await, 5);
}

#[tokio::test]
async fn one_request_may_write_to_several_aggregates() {
    let accounts = accounts(&GappedStore::new());
    let request = Cause::new().request(RequestId::from_name("opening"));
    let first = accounts.execute("1", open(), request.clone()).await.unwrap();
    let second = accounts.execute("2", open(), request).await.unwrap();
    assert!(!second.repeated);
    assert_ne!(first.events[0].id, second.events[0].id);
}

#[tokio::test]
async fn an_event_of_a_type_that_the_aggregate_does_not_know_is_passed_over() {
    let store = GappedStore::new();
    let accounts = accounts(&store);
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    write_raw(&store, "1", "account.frozen", 1, "{}").await;
    let deposited = accounts.execute("1", deposit(5), Cause::new()).await.unwrap();
    assert_eq!((deposited.version, deposited.state.balance_cents), (Version::new(3), 5));
    assert_eq!(accounts.history("1").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_payload_that_cannot_be_decoded_is_named_with_stream_version_and_type() {
    let store = GappedStore::new();
    let accounts = accounts(&store);
    accounts.execute("1", open(), Cause::new()).await.unwrap();
    write_raw(&store, "1", "account.deposited", 1, r#"{"cents":-1}"#).await;
    let error = accounts.load("1").await.unwrap_err();
    assert!(matches!(error, LoadError::Fold(FoldError::Event { version, .. }) if version == Version::new(2)));
    let text = error.to_string();
    assert!(text.starts_with(r#"stream "account-1", version 2: event type "account.deposited": "#), "{text}");
}

#[tokio::test]
async fn events_that_are_missing_at_the_beginning_are_an_error() {
    let store = GappedStore::new();
    accounts(&store).execute("1", open(), Cause::new()).await.unwrap();
    accounts(&store).execute("1", deposit(5), Cause::new()).await.unwrap();
    let page = store.read_log(ReadLog::from(Sequence::FIRST)).await.unwrap();
    let error = Loaded::<Account>::new().fold(&page.events.slice(1..2)).unwrap_err();
    assert!(matches!(error, FoldError::Gap { found, .. } if found == Version::new(2)));
}

#[tokio::test]
async fn an_id_that_makes_no_stream_name_is_refused() {
    let accounts = Repository::<Account>::new(Arc::new(GappedStore::new()));
    for id in ["", "1\n2", &"x".repeat(300)] {
        let refused = accounts.execute(id, open(), Cause::new()).await;
        assert!(matches!(refused, Err(ExecuteError::Load(LoadError::InvalidId(_)))), "{id:?}");
        assert!(matches!(accounts.load(id).await, Err(LoadError::InvalidId(_))), "{id:?}");
    }
    let error = accounts.load("").await.unwrap_err().to_string();
    assert_eq!(error, "the aggregate's id cannot be used: id is empty; give it at least one character");
}
