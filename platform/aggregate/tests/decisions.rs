//! Decisions over several streams: what they are based on, what they write, and what a repeat of them does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::decision::{DecideError, Decided, Decisions, Draft, Seen, Writes, reads, writes};
use annals_aggregate::{Cause, Loaded, Repositories, Repository, RequestContent};
use annals_event::{EventBatch, RequestId, Sequence, Token, Version};
use annals_store::{AppendError, EventStore, GappedStore, ReadLog};
use annals_store_log::{LogStore, Options};
use common::{Account, AccountCommand, AccountError, Fault, FaultyStore, deposit, open};
use std::sync::{
    Arc, Barrier, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};
use tempfile::TempDir;

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error("the other account has money")]
    OtherIsRich,
    #[error(transparent)]
    Failed(#[from] DecideError),
}

/// A log on the disk.
struct World {
    store: Arc<dyn EventStore>,
    accounts: Repository<Account>,
    decisions: Decisions,
    _folder: Option<TempDir>,
}

impl World {
    async fn on_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path(), Options::with_segment_bytes(64 << 10)).await.unwrap();
        Self { _folder: Some(folder), ..Self::over(Arc::new(store)) }
    }

    fn over(store: Arc<dyn EventStore>) -> Self {
        let accounts = Repository::new(store.clone());
        let decisions = Decisions::new(Repositories::new(store.clone()).service("bank"));
        Self { decisions, store, accounts, _folder: None }
    }

    async fn opened(self, ids: &[&str]) -> Self {
        for id in ids {
            self.accounts.execute(id, open(), Cause::new()).await.unwrap();
        }
        self
    }

    async fn deposit(&self, id: &str, cents: u64) -> Token {
        self.accounts.execute(id, deposit(cents), Cause::new()).await.unwrap().token
    }

    async fn balance(&self, id: &str) -> u64 {
        self.accounts.load(id).await.unwrap().state.balance_cents
    }

    async fn events(&self) -> EventBatch {
        self.store.read_log(ReadLog::from(Sequence::FIRST)).await.unwrap().events
    }

    /// Ten cents for ann and as many for bob, who must both have an account.
    async fn pay_both(&self, cause: Cause) -> Result<Decided, Refused> {
        self.decisions
            .decide(both(), cause, |(ann, bob)| {
                ann.execute(deposit(10))?;
                Ok(bob.execute(deposit(10))?)
            })
            .await
    }
}

fn both() -> (Writes<Account>, Writes<Account>) {
    (writes("ann"), writes("bob"))
}

/// Fills `mine` up to 100, unless the other has money.
fn fill_the_poorer((other, mine): &mut (Seen<Account>, Draft<Account>)) -> Result<(), Refused> {
    if other.balance_cents > 0 {
        return Err(Refused::OtherIsRich);
    }
    Ok(mine.execute(AccountCommand::FillUp { cents: 100 })?)
}

fn named() -> Cause {
    Cause::new().request(RequestId::from_name("transfer 7"))
}

#[tokio::test]
async fn what_is_decided_on_two_streams_is_written_at_once() {
    let world = World::on_disk().await.opened(&["ann", "bob"]).await;
    let paid = world.pay_both(Cause::new().actor("teller-7")).await.unwrap();
    let events = world.events().await;
    let written: Vec<_> = events.iter().skip(2).collect();
    let places: Vec<_> = written.iter().map(|event| (event.stream(), event.version().get())).collect();
    assert_eq!(places, [("account-ann", 2), ("account-bob", 2)]);
    let metadata: Vec<_> = written.iter().map(|event| event.metadata().unwrap()).collect();
    assert!(metadata.iter().all(|metadata| metadata.headers["service"] == "bank"));
    assert!(metadata.iter().all(|metadata| metadata.actor.as_deref() == Some("teller-7")));
    assert_eq!(metadata[0].correlation_id, metadata[1].correlation_id, "one decision, one chain");
    let token = Token::from(written[1].sequence());
    assert_eq!(paid, Decided { token, events: 2, repeated: false });
}

#[tokio::test]
async fn a_second_command_in_a_decision_sees_what_the_first_did() {
    let world = World::on_disk().await;
    let decided = world.decisions.decide(both(), Cause::new(), |(ann, bob)| {
        ann.execute(open())?;
        ann.execute(AccountCommand::FillUp { cents: 100 })?;
        ann.execute(AccountCommand::FillUp { cents: 100 })?;
        bob.execute(open())?;
        bob.execute(deposit(ann.balance_cents))?;
        assert_eq!((ann.events().len(), bob.events().len()), (2, 2));
        Ok::<_, Refused>(())
    });
    assert_eq!(decided.await.unwrap().events, 4);
    assert_eq!((world.balance("ann").await, world.balance("bob").await), (100, 100));
}

#[tokio::test]
async fn a_decision_that_refuses_on_one_stream_writes_to_none() {
    let world = World::on_disk().await.opened(&["ann"]).await;
    let refused = world.pay_both(Cause::new()).await;
    assert!(matches!(refused, Err(Refused::Account(AccountError::NotOpen))));
    assert_eq!(world.balance("ann").await, 0);
}

/// Decides to fill bob's account as ann's stands, and is held after it has looked at both until `meanwhile` has happened.
/// Gives what came of it, and how often it was decided.
async fn held(world: &World, meanwhile: impl AsyncFnOnce(&World)) -> (Result<Decided, Refused>, usize) {
    let (looked, mut has_looked) = tokio::sync::mpsc::unbounded_channel();
    let (go, may_go) = mpsc::channel();
    let (calls, may_go) = (Arc::new(AtomicUsize::new(0)), Mutex::new(may_go));
    let (decisions, counted) = (world.decisions.clone(), calls.clone());
    let deciding = tokio::spawn(async move {
        let subjects = (reads::<Account>("ann"), writes::<Account>("bob"));
        let decided = decisions.decide(subjects, Cause::new(), |states| {
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                looked.send(()).unwrap();
                may_go.lock().unwrap().recv().unwrap();
            }
            fill_the_poorer(states)
        });
        decided.await
    });
    has_looked.recv().await.unwrap();
    meanwhile(world).await;
    go.send(()).unwrap();
    (deciding.await.unwrap(), calls.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_decided_again_when_a_stream_that_it_reads_has_changed() {
    let world = World::on_disk().await.opened(&["ann", "bob"]).await;
    let meanwhile = async |world: &World| {
        world.deposit("ann", 1).await;
    };
    let (decided, calls) = held(&world, meanwhile).await;
    assert!(matches!(decided, Err(Refused::OtherIsRich)), "{decided:?}");
    assert_eq!((calls, world.balance("bob").await), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_read_must_not_come_into_being_either() {
    let world = World::on_disk().await.opened(&["bob"]).await;
    let meanwhile = async |world: &World| {
        world.accounts.execute("ann", open(), Cause::new()).await.unwrap();
    };
    let (decided, calls) = held(&world, meanwhile).await;
    assert_eq!((decided.unwrap().events, calls, world.balance("bob").await), (1, 2, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_too_is_decided_again_on_what_has_changed() {
    let world = World::on_disk().await.opened(&["ann"]).await;
    let meanwhile = async |world: &World| {
        world.accounts.execute("bob", open(), Cause::new()).await.unwrap();
    };
    let (decided, calls) = held(&world, meanwhile).await;
    assert_eq!((decided.unwrap().events, calls, world.balance("bob").await), (1, 2, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_read_each_others_streams_do_not_both_write() {
    for _ in 0..20 {
        let world = World::on_disk().await.opened(&["ann", "bob"]).await;
        let (both_looked, calls) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
        let deciding = [("ann", "bob"), ("bob", "ann")].map(|(other, mine)| {
            let (decisions, both_looked, calls) =
                (world.decisions.clone(), both_looked.clone(), calls.clone());
            tokio::spawn(async move {
                let subjects = (reads::<Account>(other), writes::<Account>(mine));
                let decided = decisions.decide(subjects, Cause::new(), |states| {
                    if calls.fetch_add(1, Ordering::SeqCst) < 2 {
                        both_looked.wait();
                    }
                    fill_the_poorer(states)
                });
                decided.await
            })
        });
        let [first, second] = deciding;
        let outcomes = [first.await.unwrap(), second.await.unwrap()];
        let refused = |outcome: &&Result<_, _>| matches!(outcome, Err(Refused::OtherIsRich));
        assert_eq!(outcomes.iter().filter(refused).count(), 1, "{outcomes:?}");
        assert_eq!(world.balance("ann").await + world.balance("bob").await, 100);
        assert_eq!(calls.load(Ordering::SeqCst), 3, "the later one decides again");
    }
}

#[tokio::test]
async fn a_decision_with_nothing_to_do_gives_the_last_token_of_its_subjects() {
    let world = World::on_disk().await.opened(&["ann", "bob"]).await;
    let newest = world.deposit("ann", 100).await;
    world.accounts.execute("cy", open(), Cause::new()).await.unwrap();
    let appended = world.events().await.len();
    let subjects = (reads::<Account>("bob"), writes::<Account>("ann"));
    let decided = world.decisions.decide(subjects, Cause::new(), fill_the_poorer).await.unwrap();
    assert_eq!(decided, Decided { token: newest, events: 0, repeated: false });
    assert_eq!(world.events().await.len(), appended);
}

#[tokio::test]
async fn a_repeated_named_decision_gives_the_first_token_and_writes_nothing() {
    let world = World::on_disk().await.opened(&["ann", "bob"]).await;
    let first = world.pay_both(named()).await.unwrap();
    world.deposit("bob", 1).await;
    let again = world.pay_both(named()).await.unwrap();
    assert_eq!(again, Decided { repeated: true, ..first });
    assert_eq!((world.balance("ann").await, world.balance("bob").await), (10, 11));
}

#[tokio::test]
async fn a_repeat_is_found_by_its_events_where_the_store_forgot_the_request() {
    let store = FaultyStore::new();
    let world = World::over(store.clone()).opened(&["ann", "bob"]).await;
    store.next_appends([Fault::Forget]);
    let first = world.pay_both(named()).await.unwrap();
    world.deposit("ann", 1).await;
    assert_eq!(world.pay_both(named()).await.unwrap(), Decided { repeated: true, ..first });
    assert_eq!((world.balance("ann").await, world.balance("bob").await), (11, 10));
}

#[tokio::test]
async fn a_decision_whose_answer_was_lost_is_found_done_when_repeated() {
    let store = FaultyStore::new();
    let world = World::over(store.clone()).opened(&["ann", "bob"]).await;
    store.next_appends([Fault::LoseAnswer]);
    let lost = world.pay_both(named()).await;
    let unavailable = |cause: &_| matches!(cause, AppendError::Unavailable { .. });
    assert!(matches!(&lost, Err(Refused::Failed(DecideError::Append { cause, .. })) if unavailable(cause)));
    assert!(world.pay_both(named()).await.unwrap().repeated);
    assert_eq!(world.accounts.load("ann").await.unwrap().version, Version::new(2));
}

#[tokio::test]
async fn two_of_one_request_at_once_are_executed_once() {
    let store = FaultyStore::new();
    let world = Arc::new(World::over(store.clone()).opened(&["ann", "bob"]).await);
    store.next_appends([Fault::Pause]);
    let held = world.clone();
    let held = tokio::spawn(async move { held.pay_both(named()).await.unwrap() });
    store.arrived.notified().await;
    let first = world.pay_both(named()).await.unwrap();
    world.deposit("ann", 1).await;
    store.go.notify_one();
    assert_eq!(held.await.unwrap(), Decided { repeated: true, ..first });
    assert_eq!((world.balance("ann").await, world.balance("bob").await), (11, 10));
}

#[tokio::test]
async fn a_request_id_that_was_used_for_another_decision_is_an_error() {
    let world = World::on_disk().await.opened(&["ann", "bob"]).await;
    world.pay_both(named()).await.unwrap();
    let other =
        world.decisions.decide(both(), named(), |(ann, _)| Ok::<_, Refused>(ann.execute(deposit(10))?));
    match other.await {
        Err(Refused::Failed(DecideError::Append {
            cause: AppendError::RequestIdReused { request_id },
            ..
        })) => {
            assert_eq!(request_id, RequestId::from_name("transfer 7"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.balance("ann").await, 10);
}

#[tokio::test]
async fn a_request_of_equal_content_is_a_repeat_whatever_is_decided_now() {
    let world = World::on_disk().await.opened(&["ann", "bob"]).await;
    let asking = |content: u8| named().content(RequestContent::from([content; 16]));
    let first = world.pay_both(asking(1)).await.unwrap();
    let other = |content| {
        let decide =
            |(ann, _): &mut (Draft<Account>, Draft<Account>)| Ok::<_, Refused>(ann.execute(deposit(7))?);
        world.decisions.decide(both(), asking(content), decide)
    };
    assert_eq!(other(1).await.unwrap(), Decided { repeated: true, ..first });
    let reused = other(2).await;
    assert!(
        matches!(
            reused,
            Err(Refused::Failed(DecideError::Append { cause: AppendError::RequestIdReused { .. }, .. }))
        ),
        "{reused:?}"
    );
    assert_eq!((world.balance("ann").await, world.balance("bob").await), (10, 10));
}

#[tokio::test]
async fn a_decision_that_always_meets_others_gives_up_in_the_end() {
    let store = FaultyStore::new();
    let world = Arc::new(World::over(store.clone()).opened(&["ann", "bob"]).await);
    let once = Decisions::new(Repositories::new(store.clone())).conflict_retries_max(0);
    store.next_appends([Fault::Pause]);
    let deciding = tokio::spawn(async move {
        once.decide(both(), Cause::new(), |(ann, _)| Ok::<_, Refused>(ann.execute(deposit(1))?)).await
    });
    store.arrived.notified().await;
    world.deposit("bob", 1).await;
    store.go.notify_one();
    let error = deciding.await.unwrap().unwrap_err();
    assert!(matches!(error, Refused::Failed(DecideError::Contended { attempts: 1, .. })), "{error}");
    assert_eq!(world.balance("ann").await, 0);
}

#[tokio::test]
async fn a_stream_that_is_named_twice_or_cannot_be_named_is_an_error() {
    let decisions = World::over(Arc::new(GappedStore::new())).decisions;
    let decide = |first, second| {
        let subjects = (reads::<Account>(first), writes::<Account>(second));
        decisions.decide(subjects, Cause::new(), fill_the_poorer)
    };
    let twice = decide("ann", "ann").await.unwrap_err();
    assert_eq!(
        twice.to_string(),
        "stream \"account-ann\" is named twice in one decision; name each stream once"
    );
    let unnamed = decide("ann", "a\nb").await.unwrap_err();
    assert!(matches!(unnamed, Refused::Failed(DecideError::Load(_))), "{unnamed}");
}

#[tokio::test]
async fn a_decision_that_panics_is_an_error_and_writes_nothing() {
    let world = World::on_disk().await.opened(&["ann", "bob"]).await;
    let panics = world.decisions.decide(both(), Cause::new(), |(ann, _)| -> Result<(), Refused> {
        ann.execute(deposit(10))?;
        panic!("no such day")
    });
    let error = panics.await.unwrap_err().to_string();
    assert!(error.contains("\"account-ann\", \"account-bob\"") && error.contains("no such day"), "{error}");
    assert_eq!(world.accounts.load("zoe").await.unwrap(), Loaded::new());
    assert_eq!(world.balance("ann").await, 0);
}
