//! Decisions go on from snapshots, and change nothing by it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::decision::{DecideError, Decided, Decisions, reads, writes};
use annals_aggregate::{Cause, FolderSnapshots, LoadError, Repositories, Repository};
use annals_event::{RequestId, Sequence};
use annals_store::{AppendError, EventStore, ReadError};
use annals_store_log::{LogStore, Options, Retention};
use common::{Account, AccountCommand, AccountError, Fault, FaultyStore, deposit, open};
use std::sync::Arc;
use tempfile::TempDir;

const EVERY: u64 = 10;

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Failed(#[from] DecideError),
}

/// A bank with snapshots.
struct Bank {
    accounts: Repository<Account>,
    decisions: Decisions,
    _folder: TempDir,
}

impl Bank {
    /// With the accounts of ann and bob, and a snapshot of each.
    async fn over(store: Arc<dyn EventStore>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = Arc::new(FolderSnapshots::open(folder.path()).unwrap());
        let accounts = Repository::new(store.clone()).snapshots(snapshots, EVERY);
        let decisions = Decisions::new(accounts.clone());
        let bank = Self { accounts, decisions, _folder: folder };
        for id in ["ann", "bob"] {
            bank.execute(id, open()).await;
            bank.execute(id, AccountCommand::Split { deposits: EVERY }).await;
        }
        bank
    }

    async fn execute(&self, id: &str, command: AccountCommand) {
        self.accounts.execute(id, command, Cause::new()).await.unwrap();
    }

    async fn balance(&self, id: &str) -> u64 {
        self.accounts.load(id).await.unwrap().state.balance_cents
    }

    /// Fills bob's account up to what ann's has and `more`.
    async fn follow(&self, more: u64, cause: Cause) -> Result<Decided, Refused> {
        follow(&self.decisions, more, cause).await
    }
}

async fn follow(decisions: &Decisions, more: u64, cause: Cause) -> Result<Decided, Refused> {
    let subjects = (reads::<Account>("ann"), writes::<Account>("bob"));
    let decided = decisions.decide(subjects, cause, |(ann, bob)| {
        Ok(bob.execute(AccountCommand::FillUp { cents: ann.balance_cents + more })?)
    });
    decided.await
}

fn named() -> Cause {
    Cause::new().request(RequestId::from_name("follow 7"))
}

/// A log of which retention can drop what stands before the events that come now.
async fn on_disk(folder: &TempDir) -> LogStore {
    LogStore::open(folder.path(), Options::with_segment_bytes(64 << 10)).await.unwrap()
}

async fn drop_the_oldest(store: &LogStore, bank: &Bank) {
    bank.execute("zoe", open()).await;
    for _ in 0..10 {
        bank.execute("zoe", AccountCommand::Split { deposits: 300 }).await;
    }
    let first = store.retain(Retention { age_max: None, bytes_max: Some(0) }).await.unwrap().first;
    assert!(first > Sequence::new(100), "{first}");
}

#[tokio::test]
async fn a_decision_reads_what_comes_after_the_snapshots() {
    let store = FaultyStore::new();
    let bank = Bank::over(store.clone()).await;
    bank.execute("ann", deposit(5)).await;
    store.take_read_events();
    assert_eq!(bank.follow(0, Cause::new()).await.unwrap().events, 1);
    assert_eq!(store.take_read_events(), 3, "the snapshots' own events, and the one after ann's");
    assert_eq!(bank.balance("bob").await, 15);
}

#[tokio::test]
async fn a_decision_keeps_a_snapshot_when_one_is_due() {
    let store = FaultyStore::new();
    let bank = Bank::over(store.clone()).await;
    let others = Repository::<Account>::new(store.clone());
    others.execute("ann", AccountCommand::Split { deposits: 50 }, Cause::new()).await.unwrap();
    bank.follow(0, Cause::new()).await.unwrap();
    store.take_read_events();
    bank.follow(0, Cause::new()).await.unwrap();
    assert!(store.take_read_events() < 10, "ann's stream is not read from the old snapshot again");
}

#[tokio::test]
async fn a_decision_is_made_where_retention_dropped_a_streams_first_events() {
    let folder = tempfile::tempdir().unwrap();
    let store = on_disk(&folder).await;
    let bank = Bank::over(Arc::new(store.clone())).await;
    drop_the_oldest(&store, &bank).await;

    let without = Decisions::new(Repositories::new(Arc::new(store.clone())));
    let error = follow(&without, 7, Cause::new()).await.unwrap_err();
    let below = |cause: &ReadError| matches!(cause, ReadError::BelowStart { .. });
    assert!(
        matches!(&error, Refused::Failed(DecideError::Load(LoadError::Read { cause, .. })) if below(cause))
    );

    let first = bank.follow(7, named()).await.unwrap();
    assert_eq!((first.events, bank.balance("bob").await), (1, 17));
    assert_eq!(bank.follow(7, named()).await.unwrap(), Decided { repeated: true, ..first });
    assert_eq!(bank.balance("bob").await, 17);
}

#[tokio::test]
async fn a_repeat_is_found_before_the_snapshots_if_nothing_is_left_to_do() {
    let store = FaultyStore::new();
    let bank = Bank::over(store.clone()).await;
    store.next_appends([Fault::Forget]);
    let first = bank.follow(7, named()).await.unwrap();
    bank.execute("bob", AccountCommand::Split { deposits: EVERY }).await;
    assert_eq!(bank.follow(7, named()).await.unwrap(), Decided { repeated: true, ..first });
    assert_eq!(bank.balance("bob").await, 27);
}

#[tokio::test]
async fn a_repeat_on_other_states_is_found_by_its_id_before_the_snapshots() {
    let store = FaultyStore::new();
    let bank = Bank::over(store.clone()).await;
    let first = bank.follow(7, named()).await.unwrap();
    bank.execute("ann", AccountCommand::Split { deposits: 40 }).await;
    bank.execute("bob", AccountCommand::Split { deposits: EVERY }).await;
    assert_eq!(bank.follow(7, named()).await.unwrap(), Decided { repeated: true, ..first });
    assert_eq!(bank.balance("bob").await, 27);
}

#[tokio::test]
async fn a_repeat_whose_grounds_retention_dropped_is_told_to_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = on_disk(&folder).await;
    let bank = Bank::over(Arc::new(store.clone())).await;
    drop_the_oldest(&store, &bank).await;
    bank.follow(7, named()).await.unwrap();
    // Their snapshots are of later states now, and what the first decision was made on is gone.
    bank.execute("ann", AccountCommand::Split { deposits: 40 }).await;
    bank.execute("bob", AccountCommand::Split { deposits: EVERY }).await;
    let error = bank.follow(7, named()).await.unwrap_err();
    let dropped = |cause: &AppendError| matches!(cause, AppendError::OriginalDropped { .. });
    assert!(
        matches!(&error, Refused::Failed(DecideError::Append { cause, .. }) if dropped(cause)),
        "{error}"
    );
    assert_eq!(bank.balance("bob").await, 27);
}
