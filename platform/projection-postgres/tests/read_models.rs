//! Whole read models in PostgreSQL: folded, projected, replayed, promoted and rolled back under readers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::{
    Append, Event, EventId, EventType, ExpectedVersion, NewEvent, Recorded, Sequence, StreamName,
};
use annals_projection::{
    ApplyError, Catalog, FoldControl, GenerationId, Generations, Origin, Projector, ProjectorError,
    ProjectorHandle, ProjectorOptions, ReadModel, Readers, SqlProjection, SqlTable, Until,
    testing::{TestDatabase, given_model, given_rows},
};
use annals_projection_postgres::{Postgres, SqlError, connection, open};
use annals_store::EventStore;
use annals_store_log::{LogStore, Options};
use async_trait::async_trait;
use sqlx::PgConnection;
use std::{any::Any, error::Error, sync::Arc, time::Duration};
use support::{
    database,
    item::{Item, Noted, items, model},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A test that waits for longer fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Each test in a database of its own.
struct InDatabase;

#[async_trait]
impl TestDatabase for InDatabase {
    async fn catalog(&self) -> Result<(Catalog, Box<dyn Any + Send + Sync>), Box<dyn Error + Send + Sync>> {
        let database = database().await.ok_or("there is no server")?;
        let snapshots = tempfile::tempdir()?;
        let catalog = open(&database.options(), snapshots.path()).await?;
        Ok((catalog, Box::new((database, snapshots))))
    }
}

fn noted(id: i64, note: &str) -> Noted {
    Noted { item: id, note: note.into() }
}

fn item(id: i64, note: &str) -> Item {
    Item { id, note: Some(note.into()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_folded_the_same_however_events_are_delivered() {
    if database().await.is_none() {
        return;
    }
    given_rows(InDatabase, items())
        .events("item-1", [noted(2, "B"), noted(-1, "a"), noted(2, "é")])
        .event("item-2", noted(7, "x"))
        .then([item(-1, "a"), item(2, "é"), item(7, "x")])
        .await;
}

/// The same in SQL, with an index of PostgreSQL's own.
struct ItemsInSql;

const UPSERT: &str = "INSERT INTO item (id, note, annals_sequence) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET note = excluded.note, annals_sequence = excluded.annals_sequence";

#[async_trait]
impl SqlProjection for ItemsInSql {
    type Event = Noted;
    type Database = Postgres;

    fn tables(&self) -> Vec<SqlTable> {
        vec![SqlTable::of::<Item>().also("CREATE INDEX item_by_length ON item (length(note))")]
    }

    async fn apply(&self, event: &Recorded<Noted>, connection: &mut PgConnection) -> Result<(), SqlError> {
        if event.note.is_empty() {
            return Err(ApplyError::new("a note says something").into());
        }
        let sequence = i64::try_from(event.sequence.get()).unwrap();
        sqlx::query(UPSERT).bind(event.item).bind(&event.note).bind(sequence).execute(connection).await?;
        Ok(())
    }
}

fn in_sql() -> ReadModel {
    ReadModel::named("items").sql(ItemsInSql).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sql_projection_writes_its_own_tables() {
    if database().await.is_none() {
        return;
    }
    let given =
        given_model(InDatabase, &in_sql()).events("item-1", [noted(2, "b"), noted(1, "a"), noted(2, "c")]);
    given.then_rows([item(1, "a"), item(2, "c")]).await;
    let given = given_model(InDatabase, &in_sql()).events("item-1", [noted(2, "b"), noted(1, "")]);
    given.then_error("a note says something").await;
    let given = given_model(InDatabase, &in_sql()).events("item-1", [noted(2, "b"), noted(1, "a\0b")]);
    given.then_error("0x00").await;
}

/// A log, a database and a read model.
struct World {
    store: Arc<LogStore>,
    catalog: Catalog,
    generations: Generations,
    _kept: (support::TestDatabase, TempDir),
}

impl World {
    async fn new() -> Option<Self> {
        let database = database().await?;
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(LogStore::open(folder.path().join("log"), Options::default()).await.unwrap());
        let catalog = open(&database.options(), folder.path().join("snapshots")).await.unwrap();
        let generations = Generations::new(catalog.clone(), model(), store.clone());
        Some(Self { store, catalog, generations, _kept: (database, folder) })
    }

    async fn append(&self, events: impl IntoIterator<Item = Noted>) -> Sequence {
        let new = |event: Noted| NewEvent {
            id: EventId::generate(),
            ..NewEvent::json(EventType::new(event.event_type()).unwrap(), event.encode().unwrap())
        };
        let stream = StreamName::new("item-1").unwrap();
        let append = Append::to(stream, ExpectedVersion::Any, events.into_iter().map(new).collect());
        self.store.append(append).await.unwrap().head
    }

    /// Starts the projector.
    async fn start(&self) -> Running {
        let options = ProjectorOptions::new(self.catalog.clone(), model(), self.store.clone());
        let projector = Projector::open(options).await.unwrap();
        let (handle, cancel) = (projector.handle(), CancellationToken::new());
        Running { handle, task: tokio::spawn(projector.run(cancel.clone())), cancel }
    }

    /// A candidate, folded to the head.
    async fn candidate(&self, origin: Origin) -> GenerationId {
        let id = GenerationId::generate();
        self.generations.create(id, origin).await.unwrap();
        self.generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
        id
    }
}

struct Running {
    handle: ProjectorHandle,
    task: JoinHandle<Result<(), ProjectorError>>,
    cancel: CancellationToken,
}

impl Running {
    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_verified_promoted_and_rolled_back_while_readers_read() {
    let Some(world) = World::new().await else { return };
    let running = world.start().await;
    let token = world.append((0..3_000).map(|at| noted(at % 200, &format!("note {at}")))).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    let old = world.generations.live().await.unwrap().generation;
    let readers = Readers::new(world.catalog.clone(), model());
    let reading = tokio::spawn(async move {
        let mut last = Sequence::ZERO;
        for _ in 0..300 {
            let mut reader = readers.reader().await.unwrap();
            assert_eq!(reader.all::<Item>().await.unwrap().len(), 200);
            assert!(reader.checkpoint() >= last, "a step back");
            last = reader.checkpoint();
        }
    });
    let id = world.candidate(Origin::Empty).await;
    assert!(world.generations.completeness(id).await.unwrap().is_complete());
    let difference = world.generations.verify(id, FoldControl::default()).await.unwrap().unwrap();
    assert!(difference.is_none() && difference.same == 200, "{difference:?}");
    assert_eq!(world.generations.promote(id).await.unwrap().previous, Some(old));
    let token = world.append([noted(7, "later")]).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(reader.generation(), id);
    assert_eq!(reader.get::<Item>(&7).await.unwrap(), Some(item(7, "later")));
    assert!(connection(&mut reader).is_some());
    drop(reader);
    assert!(world.generations.roll_back(old).await.unwrap().continued);
    reading.await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_restored_and_folded_on() {
    let Some(world) = World::new().await else { return };
    let running = world.start().await;
    let token = world.append((0..2_000).map(|at| noted(at, &format!("note {at}")))).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    world.generations.take_snapshot().await.unwrap();
    world.append((0..50).map(|at| noted(at, "again"))).await;
    let plan = world.generations.plan(token.next()).await.unwrap();
    assert!(matches!(plan.origin(), Origin::Snapshot(_)), "{plan:?}");
    let id = world.candidate(plan.origin()).await;
    let difference = world.generations.verify(id, FoldControl::default()).await.unwrap().unwrap();
    assert!(difference.is_none() && difference.same == 2_000, "{difference:?}");
    running.stop().await;
}
