//! Annals in one file: an aggregate, a table, a question to it, and the table rebuilt from the log.
//!
//! `cargo run -p annals-quickstart [-- FOLDER]`; without a folder it uses a temporary one.
#![expect(clippy::print_stdout, reason = "a program that says what it does")]

use annals::prelude::*;
use annals::replay::{ReplayId, ReplayRequest, ReplayWorker, Replays, WorkerOptions};
use annals::store_log::{LogStore, Options};
use anyhow::{Context as _, Result, ensure};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// What happens to an account. The types and versions are stored as written here; the Rust names may change.
#[derive(Event)]
enum Entry {
    Deposited(Deposited),
    Withdrawn(Withdrawn),
}

#[derive(Event)]
#[event(type = "account.deposited", version = 1)]
struct Deposited {
    cents: u32,
}

#[derive(Event)]
#[event(type = "account.withdrawn", version = 1)]
struct Withdrawn {
    cents: u32,
}

/// What can be asked of an account.
#[derive(Clone)]
enum Command {
    Deposit { cents: u32 },
    Withdraw { cents: u32 },
}

/// As much of an account as its decisions need.
#[derive(Clone, Default)]
struct Account {
    cents: i64,
}

#[derive(Debug, thiserror::Error)]
#[error("the account has only {0} cents")]
struct Overdrawn(i64);

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = Entry;
    type Command = Command;
    type Error = Overdrawn;

    fn decide(&self, command: Command) -> Result<Vec<Entry>, Overdrawn> {
        match command {
            Command::Withdraw { cents } if i64::from(cents) > self.cents => Err(Overdrawn(self.cents)),
            Command::Withdraw { cents } => Ok(vec![Entry::Withdrawn(Withdrawn { cents })]),
            Command::Deposit { cents } => Ok(vec![Entry::Deposited(Deposited { cents })]),
        }
    }
    fn evolve(&mut self, entry: &Entry) {
        match entry {
            Entry::Deposited(Deposited { cents }) => self.cents += i64::from(*cents),
            Entry::Withdrawn(Withdrawn { cents }) => self.cents -= i64::from(*cents),
        }
    }
}

/// A row of the table that answers questions.
#[derive(Clone, PartialEq, Table)]
#[table(name = "funds")]
struct Funds {
    #[table(key)]
    account: String,
    cents: i64,
}

/// How events change rows. After a change here, raise the read model's fold version and replay it.
fn funds_by_account() -> Fold<Funds> {
    Fold::<Funds>::new()
        .upsert(
            |e: &Recorded<Deposited>| e.stream.id().to_owned(),
            |e| Funds { account: e.stream.id().to_owned(), cents: 0 },
            |row, e| row.cents += i64::from(e.cents),
        )
        .update(|e: &Recorded<Withdrawn>| e.stream.id().to_owned(), |row, e| row.cents -= i64::from(e.cents))
}

#[tokio::main]
async fn main() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().into(), PathBuf::from);
    ensure!(
        !folder.to_string_lossy().starts_with('-'),
        "usage: annals-quickstart [FOLDER for what it stores]"
    );

    // The log, a read model of one table that follows it, and replays of that read model.
    let log = LogStore::open(folder.join("log"), Options::default()).await?;
    let store: Arc<dyn EventStore> = Arc::new(log.clone());
    let model = ReadModel::builder("funds")?.fold_version(1).table(funds_by_account()).build()?;
    let catalog = Catalog::open(folder.join("read-models")).await?;
    let options = ProjectorOptions::new(catalog, model, store.clone());
    let generations = options.generations();
    let projector = Projector::open(options).await?;
    let funds = projector.handle();
    let replays = Replays::new(store.clone());
    let worker = ReplayWorker::new(replays.clone(), vec![generations], WorkerOptions::default());

    // Both run until `stop`; the first that fails ends the program.
    let stop = CancellationToken::new();
    tokio::try_join!(
        async { projector.run(stop.clone()).await.context("the projector") },
        async { worker.run(stop.clone()).await.context("the replay worker") },
        async {
            spend(&Repository::new(store), &funds).await?;
            rebuild(&replays, &funds).await?;
            stop.cancel();
            Ok(())
        },
    )?;
    Ok(log.close().await?)
}

/// Commands in, events out; then the table is asked.
async fn spend(accounts: &Repository<Account>, funds: &ProjectorHandle) -> Result<()> {
    accounts.execute("alice", Command::Deposit { cents: 5_000 }, Cause::new()).await?;
    let spent = accounts.execute("alice", Command::Withdraw { cents: 1_500 }, Cause::new()).await?;
    println!("Alice deposits 5000 cents and withdraws 1500: event {} of the log.", spent.token);
    let refused = accounts.execute("alice", Command::Withdraw { cents: u32::MAX }, Cause::new()).await;
    if let Err(ExecuteError::Rejected(reason)) = refused {
        println!("She asks for too much and is refused: {reason}.");
    }
    // The table is a moment behind the log. Waiting for the token shows what the command did.
    let mut reader = funds.wait_for(spent.token, Duration::from_secs(10)).await?;
    let alice: Funds = reader.get(&"alice".to_owned()).await?.context("Alice has no row")?;
    println!("The table says that {} has {} cents.", alice.account, alice.cents);
    Ok(())
}

/// Builds the table again from the first event on, while the old one answers; compares the two; swaps them.
async fn rebuild(replays: &Replays, funds: &ProjectorHandle) -> Result<()> {
    let id = ReplayId::generate();
    replays.request(id, ReplayRequest::new("funds"), Cause::new().actor("quickstart")).await?;
    let built = replays.settled(id).await.replay;
    let found = built.difference.with_context(|| format!("not built: {:?}", built.failure))?;
    println!("A replay folds {} events into a second table; {found}.", found.complete_events);
    replays.promote(id, Cause::new().actor("quickstart")).await?;
    let promoted = replays.settled(id).await.replay;
    let live = funds.reader().await?.generation();
    ensure!(promoted.candidate == Some(live), "the replay is {}", promoted.phase);
    println!("It is {}: readers see the table that it built.", promoted.phase);
    Ok(())
}
