//! Snapshots change nothing but time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::{
    Aggregate, Cause, FolderSnapshots, Loaded, Repository, Snapshot, SnapshotError, SnapshotSchema,
    SnapshotStore,
};
use annals_event::{EventId, RequestId, StreamName, Token, Version};
use annals_store::EventStore;
use annals_store_log::{LogStore, Options};
use async_trait::async_trait;
use common::{Account, AccountCommand, AccountError, AccountEvent, FaultyStore, deposit, open, stream};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;

const EVERY: u64 = 10;

struct Bank {
    store: Arc<FaultyStore>,
    folder: TempDir,
    accounts: Repository<Account>,
}

impl Bank {
    /// An account with a snapshot at version 12 and one event after it.
    async fn with_snapshot() -> Self {
        let (store, folder) = (FaultyStore::new(), tempfile::tempdir().unwrap());
        let accounts = Repository::new(store.clone());
        let accounts = accounts.snapshots(Arc::new(FolderSnapshots::open(folder.path()).unwrap()), EVERY);
        let bank = Self { store, folder, accounts };
        bank.execute(open()).await;
        bank.execute(AccountCommand::Split { deposits: 11 }).await;
        bank.execute(deposit(100)).await;
        bank
    }

    async fn execute(&self, command: AccountCommand) {
        self.accounts.execute("1", command, Cause::new()).await.unwrap();
    }

    fn snapshots(&self) -> FolderSnapshots {
        FolderSnapshots::open(self.folder.path()).unwrap()
    }

    async fn snapshot(&self) -> Snapshot {
        let found = self.snapshots().load(&stream("1"), &SnapshotSchema::of::<Account>()).await;
        found.unwrap().unwrap()
    }

    async fn replace(&self, snapshot: Snapshot) {
        self.snapshots().save(snapshot).await.unwrap();
    }

    /// What a full fold gives.
    async fn truth(&self) -> Loaded<Account> {
        Repository::<Account>::new(self.store.clone()).load("1").await.unwrap()
    }

    fn file(&self) -> PathBuf {
        let shelf = fs::read_dir(self.folder.path()).unwrap().next().unwrap().unwrap().path();
        let files: Vec<_> = fs::read_dir(shelf).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "one snapshot and no leftovers");
        files[0].clone()
    }

    /// Loads with snapshots, compares with the full fold, and says how many events were read.
    async fn load_and_compare(&self) -> usize {
        let truth = self.truth().await;
        self.store.take_read_events();
        assert_eq!(self.accounts.load("1").await.unwrap(), truth);
        self.store.take_read_events()
    }
}

#[tokio::test]
async fn only_the_tail_after_a_snapshot_is_read() {
    let bank = Bank::with_snapshot().await;
    assert_eq!(bank.snapshot().await.version, Version::new(12));
    assert_eq!(
        bank.load_and_compare().await,
        2,
        "the snapshot's own event, to confirm it, and the one after it"
    );
}

#[tokio::test]
async fn a_snapshot_is_made_again_after_so_many_events() {
    let bank = Bank::with_snapshot().await;
    bank.execute(AccountCommand::Split { deposits: EVERY - 2 }).await;
    assert_eq!(bank.snapshot().await.version, Version::new(12));
    bank.execute(deposit(1)).await;
    assert_eq!(bank.snapshot().await.version, Version::new(22));
    bank.file();
}

#[tokio::test]
async fn a_repeat_finds_the_state_before_its_own_events_also_below_a_snapshot() {
    let bank = Bank::with_snapshot().await;
    let (before, request) = (bank.truth().await, || Cause::new().request(RequestId::from_name("transfer 7")));
    assert_eq!(bank.accounts.load_for("1", request()).await.unwrap(), before, "it was not executed yet");
    bank.accounts.execute("1", deposit(5), request()).await.unwrap();
    assert_eq!(bank.snapshot().await.version, Version::new(12));
    assert_eq!(bank.accounts.load_for("1", request()).await.unwrap(), before);
    bank.execute(AccountCommand::Split { deposits: EVERY }).await;
    assert_eq!(bank.snapshot().await.version, Version::new(24));
    assert_eq!(bank.accounts.load_for("1", request()).await.unwrap(), before);
    let truth = bank.truth().await;
    assert_eq!(truth.version, Version::new(24));
    for cause in [Cause::new(), Cause::new().request(RequestId::from_name("transfer 8"))] {
        assert_eq!(bank.accounts.load_for("1", cause).await.unwrap(), truth);
    }
}

#[tokio::test]
async fn dropping_snapshots_changes_nothing_but_time() {
    let bank = Bank::with_snapshot().await;
    fs::remove_dir_all(bank.folder.path()).unwrap();
    assert_eq!(bank.load_and_compare().await, 13);
    assert_eq!(bank.snapshot().await.version, Version::new(13), "loading so much made a new one");
    bank.execute(deposit(1)).await;
    assert_eq!(bank.load_and_compare().await, 2);
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over_and_replaced() {
    let bank = Bank::with_snapshot().await;
    let mut bytes = fs::read(bank.file()).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(bank.file(), bytes).unwrap();
    let refused = bank.snapshots().load(&stream("1"), &SnapshotSchema::of::<Account>()).await;
    assert!(matches!(refused, Err(SnapshotError::Damaged { .. })));
    assert_eq!(bank.load_and_compare().await, 13);
    assert_eq!(bank.load_and_compare().await, 1, "a good one is there again");
}

#[tokio::test]
async fn a_snapshot_of_another_log_is_passed_over() {
    let (bank, other) = (Bank::with_snapshot().await, Bank::with_snapshot().await);
    bank.replace(other.snapshot().await).await;
    assert_eq!(bank.load_and_compare().await, 13);
}

#[tokio::test]
async fn a_snapshot_that_ends_at_another_event_than_the_logs_is_ignored() {
    let bank = Bank::with_snapshot().await;
    let diverged = Snapshot { event_id: EventId::generate(), ..bank.snapshot().await };
    bank.replace(diverged).await;
    // The page with the event that does not match is read in vain.
    assert_eq!(bank.load_and_compare().await, 2 + 13);
}

#[tokio::test]
async fn a_snapshot_ahead_of_the_log_is_passed_over() {
    let bank = Bank::with_snapshot().await;
    let ahead = Snapshot { version: Version::new(500), ..bank.snapshot().await };
    bank.replace(ahead).await;
    assert_eq!(bank.load_and_compare().await, 13);
}

#[tokio::test]
async fn a_state_that_does_not_decode_is_passed_over() {
    let bank = Bank::with_snapshot().await;
    let odd = Snapshot { state: "[]".into(), ..bank.snapshot().await };
    bank.replace(odd).await;
    assert_eq!(bank.load_and_compare().await, 13);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_costs_only_time() {
    let bank = Bank::with_snapshot().await;
    fs::remove_dir_all(bank.folder.path()).unwrap();
    fs::write(bank.folder.path(), "not a folder").unwrap();
    assert_eq!(bank.load_and_compare().await, 13);
    bank.execute(deposit(1)).await;
    assert_eq!(Token::from(bank.store.head().await.unwrap().last), bank.truth().await.token);
    fs::remove_file(bank.folder.path()).unwrap();
    fs::create_dir(bank.folder.path()).unwrap();
}

#[tokio::test]
async fn hostile_stream_names_stay_in_the_folder() {
    let bank = Bank::with_snapshot().await;
    for id in ["../../x", "/etc/passwd", "a\\..\\b", "'; drop table", &"é".repeat(120)] {
        let named = Snapshot { stream: stream(id), ..bank.snapshot().await };
        bank.replace(named.clone()).await;
        assert_eq!(bank.snapshots().load(&stream(id), &named.schema).await.unwrap(), Some(named));
    }
    let beside = fs::read_dir(bank.folder.path()).unwrap().count();
    assert_eq!(beside, 6, "a shelf for each");
}

#[tokio::test]
async fn a_snapshot_of_what_a_restored_log_does_not_have_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |name| LogStore::open(folder.path().join(name), Options::default()).await.unwrap();
    let snapshots = Arc::new(FolderSnapshots::open(folder.path().join("snapshots")).unwrap());
    let accounts = |log| Repository::<Account>::new(Arc::new(log)).snapshots(snapshots.clone(), EVERY);
    let log = open("log").await;
    let before = accounts(log.clone());
    before.execute("1", common::open(), Cause::new()).await.unwrap();
    log.backup(folder.path().join("backup")).await.unwrap();
    let deposits = AccountCommand::Split { deposits: 11 };
    before.execute("1", deposits.clone(), Cause::new()).await.unwrap();
    let kept = snapshots.load(&stream("1"), &SnapshotSchema::of::<Account>()).await.unwrap().unwrap();
    assert_eq!(kept.version, Version::new(12));

    let restored = open("backup").await;
    let truth = Repository::<Account>::new(Arc::new(restored.clone()));
    let after = accounts(restored);
    assert_eq!(after.load("1").await.unwrap(), truth.load("1").await.unwrap(), "it is ahead of the log");
    truth.execute("1", deposit(1_000), Cause::new()).await.unwrap();
    truth.execute("1", deposits, Cause::new()).await.unwrap();
    let loaded = after.load("1").await.unwrap();
    assert_eq!(loaded, truth.load("1").await.unwrap(), "the log has another event where it was made");
    assert_eq!((loaded.version, loaded.state.balance_cents), (Version::new(13), 1_011));
    assert_eq!(before.load("1").await.unwrap().state.balance_cents, 11);
}

/// A measured value that JSON does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Highest(Option<f64>);

impl Aggregate for Highest {
    const CATEGORY: &'static str = "account";
    type Event = AccountEvent;
    type Command = ();
    type Error = AccountError;

    fn decide(&self, (): ()) -> Result<Vec<AccountEvent>, AccountError> {
        Ok(vec![])
    }
    fn evolve(&mut self, _: &AccountEvent) {
        self.0 = Some(f64::INFINITY);
    }
}

#[tokio::test]
async fn a_state_that_would_be_read_back_as_another_is_not_kept() {
    let bank = Bank::with_snapshot().await;
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Arc::new(FolderSnapshots::open(folder.path()).unwrap());
    let highest = Repository::<Highest>::new(bank.store.clone()).snapshots(snapshots, EVERY);
    for _ in 0..2 {
        assert_eq!(highest.load("1").await.unwrap().state, Highest(Some(f64::INFINITY)));
    }
}

/// How many payments there were: another aggregate over the same streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Payments {
    count: u64,
}

impl Aggregate for Payments {
    const CATEGORY: &'static str = "account";
    type Event = AccountEvent;
    type Command = ();
    type Error = AccountError;

    fn decide(&self, (): ()) -> Result<Vec<AccountEvent>, AccountError> {
        Ok(vec![])
    }
    fn evolve(&mut self, event: &AccountEvent) {
        self.count += u64::from(matches!(event, AccountEvent::Deposited { .. }));
    }
}

#[tokio::test]
async fn two_aggregates_over_one_stream_keep_their_snapshots_apart() {
    let bank = Bank::with_snapshot().await;
    let snapshots: Arc<dyn SnapshotStore> = Arc::new(bank.snapshots());
    let payments = Repository::<Payments>::new(bank.store.clone()).snapshots(snapshots, EVERY);
    for _ in 0..2 {
        assert_eq!(payments.load("1").await.unwrap().state, Payments { count: 12 });
        assert_eq!(bank.load_and_compare().await, 2, "the snapshot of the other one is still there");
    }
}

/// Somebody else's store, which looks only at the stream.
struct Careless(Mutex<Option<Snapshot>>);

#[async_trait]
impl SnapshotStore for Careless {
    async fn load(&self, _: &StreamName, _: &SnapshotSchema) -> Result<Option<Snapshot>, SnapshotError> {
        Ok(self.0.lock().unwrap().clone())
    }
    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        *self.0.lock().unwrap() = Some(snapshot);
        Ok(())
    }
}

#[tokio::test]
async fn another_aggregates_snapshot_is_a_miss_even_if_the_store_returns_it() {
    let bank = Bank::with_snapshot().await;
    let careless = Arc::new(Careless(Mutex::new(Some(bank.snapshot().await))));
    let payments = Repository::<Payments>::new(bank.store.clone()).snapshots(careless, EVERY);
    assert_eq!(payments.load("1").await.unwrap().state, Payments { count: 12 });
}

#[test]
fn a_schema_differs_by_type_and_by_the_fields_of_the_state() {
    #[derive(Clone, Default, Serialize)]
    struct Counted<F>(F);

    impl<F: Clone + Default + Send + Sync + 'static> Aggregate for Counted<F> {
        const CATEGORY: &'static str = "account";
        type Event = AccountEvent;
        type Command = ();
        type Error = AccountError;

        fn decide(&self, (): ()) -> Result<Vec<AccountEvent>, AccountError> {
            Ok(vec![])
        }
        fn evolve(&mut self, _: &AccountEvent) {}
    }

    let [number, text, account, payments] = [
        SnapshotSchema::of::<Counted<u64>>(),
        SnapshotSchema::of::<Counted<String>>(),
        SnapshotSchema::of::<Account>(),
        SnapshotSchema::of::<Payments>(),
    ];
    let fields = |schema: &SnapshotSchema| schema.as_str().rsplit(' ').next().unwrap().to_owned();
    assert_ne!(fields(&number), fields(&text));
    assert_ne!(fields(&account), fields(&payments));
    assert!(account.as_str().contains("::Account 1 "), "{account}");
    assert_eq!(account, SnapshotSchema::of::<Account>());
}
