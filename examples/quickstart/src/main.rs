//! Annals in one file: an aggregate, a table, a question to it, and the table rebuilt from the log.
//!
//! `cargo run -p annals-quickstart [-- FOLDER]`; without a folder it uses a temporary one.
#![expect(clippy::print_stdout, reason = "a program that says what it does")]

use annals::{
    prelude::*,
    replay::{ReplayId, ReplayRequest},
    service::Config,
};
use anyhow::{Context as _, Result};

/// What happens to an account. Type and version are stored as written here; the Rust name may change.
#[derive(Event)]
#[event(type = "account.moved", version = 1)]
struct Moved {
    cents: i64,
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
    type Event = Moved; // or an enum of several
    type Command = i64; // cents: what is deposited, or, below zero, withdrawn
    type Error = Overdrawn;
    fn decide(&self, cents: i64) -> Result<Vec<Moved>, Overdrawn> {
        if self.cents + cents < 0 { Err(Overdrawn(self.cents)) } else { Ok(vec![Moved { cents }]) }
    }
    fn evolve(&mut self, moved: &Moved) {
        self.cents += moved.cents;
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
fn funds() -> Fold<Funds> {
    let account = |e: &Recorded<Moved>| e.stream.id().to_owned();
    let first = move |e: &Recorded<Moved>| Funds { account: account(e), cents: 0 };
    Fold::<Funds>::new().upsert(account, first, |row, e| row.cents += e.cents)
}

#[tokio::main]
async fn main() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| temporary.path().into());
    let model = ReadModel::named("funds").fold_version(1).table(funds()).build()?;
    let config = Config::in_folder("quickstart", folder)?;
    let running = Service::start(config, async |service| Ok(service.read_model(model))).await?;
    let app = running.app();

    // Commands in, events out.
    app.execute::<Account>("alice", 5_000, Cause::new()).await?;
    let spent = app.execute::<Account>("alice", -1_500, Cause::new()).await?;
    println!("Alice deposits 5000 cents and withdraws 1500: event {} of the log.", spent.token);
    if let Err(refused) = app.execute::<Account>("alice", -1_000_000, Cause::new()).await {
        println!("She asks for too much and is refused: {refused}.");
    }
    // The table is a moment behind the log. Waiting for the token shows what the command did.
    let mut reader = app.reader::<Funds>(WaitFor::token(spent.token)).await?;
    let alice: Funds = reader.get(&"alice".to_owned()).await?.context("Alice has no row")?;
    println!("The table says that {} has {} cents.", alice.account, alice.cents);

    // The table is built again from the first event on, while the old one answers; compared with it; put in its place.
    let (replays, replay) = (app.replays(), ReplayId::generate());
    replays.request(replay, ReplayRequest::new("funds"), Cause::new()).await?;
    let built = replays.settled(replay).await.replay;
    let found = built.difference.with_context(|| format!("not built: {:?}", built.failure))?;
    println!("A replay folds {} events into a second table; {found}.", found.complete_events);
    replays.promote(replay, Cause::new()).await?;
    let promoted = replays.settled(replay).await.replay;
    println!("It is {}: readers see the table that it built.", promoted.phase);
    Ok(running.stop().await?)
}
