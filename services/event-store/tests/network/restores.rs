//! When the server comes back with its log restored from a backup, clients that were connected notice.

use crate::support::{Server, one_event};
use annals_event::{CodecError, Event, Recorded, Sequence};
use annals_projection::{
    ApplyError, Column, Projector, ProjectorError, ProjectorHandle, ProjectorOptions, ReadModel,
    SqlProjection, SqlTable, TableSchema,
};
use annals_projection_sqlite::{SqlError, Sqlite};
use annals_store::{
    Activity, Call, EventStore, Filter, LogMismatch, Scene, SeenLog, Staged, Subscribe, Trouble, chain_at,
    check_same_log,
};
use annals_store_grpc::GrpcStore;
use annals_store_log::{LogStore, Options};
use async_trait::async_trait;
use sqlx::SqliteConnection;
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

async fn open(folder: &Path) -> LogStore {
    LogStore::open(folder, Options::default()).await.unwrap()
}

async fn append(log: &LogStore, events: usize) -> Sequence {
    for _ in 0..events {
        log.append(one_event("a")).await.unwrap();
    }
    log.head().await.unwrap().last
}

/// A log with 20 events, and a backup of its first 10 to which others were appended, up to this many in all.
async fn log_and_other_history(folder: &TempDir, events: usize) -> (LogStore, LogStore) {
    let log = open(&folder.path().join("log")).await;
    append(&log, 10).await;
    log.backup(folder.path().join("backup")).await.unwrap();
    append(&log, 10).await;
    let other = open(&folder.path().join("backup")).await;
    append(&other, events - 10).await;
    (log, other)
}

#[tokio::test]
async fn a_subscription_says_that_it_was_resumed_and_what_was_seen_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = log_and_other_history(&folder, 15).await;
    let server = Server::start_to_restart(Arc::new(log)).await;
    let (address, client) = (server.address, server.client().await);
    let from_the_start = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
    let mut subscription = client.subscribe(from_the_start).await.unwrap();
    let mut through = Sequence::ZERO;
    while through < Sequence::new(20) {
        let delivery = subscription.next().await.unwrap();
        assert!(!delivery.resumed);
        through = delivery.through;
    }
    let chain = chain_at(&client, through).await.unwrap();
    let seen = SeenLog { log_id: client.log_id(), through, chain };
    assert!(chain.is_some());
    server.kill().await;

    let _server = Server::start_at(address, Arc::new(other.clone())).await;
    let delivery = subscription.next().await.unwrap();
    assert!(delivery.resumed && delivery.events.is_empty(), "at once, without news");
    let ahead = check_same_log(&client, &seen).await;
    assert_eq!(ahead, Err(LogMismatch::Ahead { seen: through, last: Sequence::new(15) }));
    append(&other, 10).await;
    assert_eq!(check_same_log(&client, &seen).await, Err(LogMismatch::Diverged { seen: through }));
    assert!(!subscription.next().await.unwrap().resumed);
}

#[tokio::test]
async fn a_first_delivery_that_comes_over_another_connection_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = log_and_other_history(&folder, 15).await;
    // Accepts subscriptions, and delivers nothing.
    let mute = Staged::over(Arc::new(log), |call, _| match call {
        Call::Next => Scene::before(Trouble::Silence),
        _ => Scene::PASS,
    });
    let server = Server::start_to_restart(mute.store()).await;
    let (address, client) = (server.address, server.client().await);
    let at_the_head = Subscribe::after(Sequence::new(20), Filter::all());
    let mut subscription = client.subscribe(at_the_head).await.unwrap();
    server.kill().await;

    let _server = Server::start_at(address, Arc::new(other.clone())).await;
    assert!(subscription.next().await.unwrap().resumed);
}

#[derive(Clone, Debug)]
struct Happened;

impl Event for Happened {
    const TYPES: &'static [(&'static str, u32)] = &[("happened", 1)];

    fn event_type(&self) -> &'static str {
        "happened"
    }
    fn schema_version(&self) -> u32 {
        1
    }
    fn encode(&self) -> Result<bytes::Bytes, CodecError> {
        Ok("{}".into())
    }
    fn decode(_: &str, _: &[u8]) -> Result<Option<Self>, CodecError> {
        Ok(Some(Self))
    }
}

struct Counted;

#[async_trait]
impl SqlProjection for Counted {
    type Event = Happened;
    type Database = Sqlite;

    fn tables(&self) -> Vec<SqlTable> {
        const COLUMNS: &[Column] = &[Column::key_of::<i64>("at")];
        vec![SqlTable::new(TableSchema { name: "seen", columns: COLUMNS, indexes: &[] })]
    }

    async fn apply(
        &self,
        event: &Recorded<Happened>,
        connection: &mut SqliteConnection,
    ) -> Result<(), SqlError> {
        let at = i64::try_from(event.sequence.get()).map_err(ApplyError::new)?;
        let insert = sqlx::query("INSERT INTO seen VALUES (?1, ?1)").bind(at);
        insert.execute(connection).await?;
        Ok(())
    }
}

/// A read model that is being folded over the network.
struct Folding {
    handle: ProjectorHandle,
    cancel: CancellationToken,
    running: JoinHandle<Result<(), ProjectorError>>,
}

impl Folding {
    /// Starts folding, and waits until the first 20 events are folded.
    async fn start(folder: &TempDir, client: GrpcStore) -> Self {
        let model = ReadModel::named("counted").sql(Counted).build().unwrap();
        let catalog = annals_projection_sqlite::open(folder.path().join("views")).await.unwrap();
        let options = ProjectorOptions::new(catalog, model, Arc::new(client));
        let (projector, cancel) = (Projector::open(options).await.unwrap(), CancellationToken::new());
        let handle = projector.handle();
        let running = tokio::spawn(projector.run(cancel.clone()));
        handle.wait_for(Sequence::new(20), PATIENCE).await.unwrap();
        Self { handle, cancel, running }
    }
}

/// Waits until `wanted` accepts what the projector does, for much less time than the client tries to reach the store.
async fn state_of(handle: &ProjectorHandle, wanted: impl Fn(&Activity) -> bool) {
    let noticed = async {
        while !wanted(&handle.state().activity) {
            tokio::task::yield_now().await;
        }
    };
    let patience = annals_store_grpc::Options::default().retry_time_max / 3;
    tokio::time::timeout(patience, noticed).await.unwrap_or_else(|_| panic!("{handle:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_says_that_the_store_is_away_while_the_client_still_tries() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = log_and_other_history(&folder, 15).await;
    let server = Server::start_to_restart(Arc::new(log.clone())).await;
    let (address, client) = (server.address, server.client().await);
    let Folding { handle, cancel, running } = Folding::start(&folder, client).await;
    state_of(&handle, |activity| *activity == Activity::Running).await;

    server.kill().await;
    state_of(&handle, |activity| matches!(activity, Activity::Retrying { .. })).await;
    assert_eq!(handle.reader().await.unwrap().checkpoint(), Sequence::new(20), "rows are served meanwhile");
    let _server = Server::start_at(address, Arc::new(log)).await;
    state_of(&handle, |activity| *activity == Activity::Running).await;
    cancel.cancel();
    running.await.unwrap().unwrap();
}

/// Replaces the read model's log by another one, and then puts the right one back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_waits_for_the_right_log_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log")).await;
    append(&log, 20).await;
    let server = Server::start_to_restart(Arc::new(log.clone())).await;
    let (address, client) = (server.address, server.client().await);
    let Folding { handle, cancel, running } = Folding::start(&folder, client).await;
    server.kill().await;

    let other = open(&folder.path().join("other")).await;
    append(&other, 30).await;
    let server = Server::start_at(address, Arc::new(other)).await;
    state_of(&handle, |activity| matches!(activity, Activity::OtherHistory { .. })).await;
    assert_eq!(handle.reader().await.unwrap().checkpoint(), Sequence::new(20));
    server.kill().await;

    let _server = Server::start_at(address, Arc::new(log.clone())).await;
    state_of(&handle, |activity| *activity == Activity::Running).await;
    let token = append(&log, 1).await;
    handle.wait_for(token, PATIENCE).await.unwrap();
    cancel.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_that_is_being_folded_is_not_written_any_more() {
    for events in [15, 40] {
        let folder = tempfile::tempdir().unwrap();
        let (log, other) = log_and_other_history(&folder, events).await;
        let server = Server::start_to_restart(Arc::new(log)).await;
        let (address, client) = (server.address, server.client().await);
        let Folding { handle, cancel, running } = Folding::start(&folder, client).await;
        server.kill().await;

        let _server = Server::start_at(address, Arc::new(other)).await;
        let noticed = async {
            while !matches!(handle.state().activity, Activity::OtherHistory { .. }) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, noticed).await.unwrap();
        assert_eq!(handle.reader().await.unwrap().checkpoint(), Sequence::new(20));
        cancel.cancel();
        running.await.unwrap().unwrap();
    }
}
