//! All consumers of one log, working at the same time.

use crate::{
    PATIENCE, assert_causes,
    event::{
        AGGREGATE, CANDIDATE, EVENTS, Happened, PROJECTOR, REACTOR, SANDBOX, SLOTS, SNAPSHOT,
        TABLE_PROJECTOR, Then,
    },
    within,
};
use annals_aggregate::{Aggregate, Cause, Repositories, Repository};
use annals_event::{CodecError, Event, Recorded, Sequence};
use annals_event_store::{Options as ServerOptions, Service};
use annals_projection::{
    ApplyError, Catalog, Cells, Column, FoldControl, GenerationId, Generations, Origin, Projector,
    ProjectorHandle, ProjectorOptions, ReadModel, SnapshotName, SqlProjection, SqlTable, Table, TableError,
    TableProjection, TableSchema, Until, Value, cell,
};
use annals_projection_sqlite::{SqlError, Sqlite};
use annals_reactor::{Options as ReactorOptions, Reaction, Reactor, ReactorHandle, ReactorWorker, Start};
use annals_replay::{Phase, ReplayId, ReplayMode, ReplayRequest, ReplayWorker, Replays, WorkerOptions};
use annals_store::{Activity, EventStore, Filter, Subscribe};
use annals_store_grpc::GrpcStore;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// How often to look at what a projector does.
const POLL: Duration = Duration::from_millis(1);

/// What a consumer did.
#[derive(Debug)]
pub struct Outcome {
    /// How many of its events it has handled.
    pub handled: u64,
    /// Why it does not go on.
    pub error: Option<String>,
}

fn handle(then: Then) -> Result<(), ApplyError> {
    match then {
        Then::Counts => Ok(()),
        Then::IsRefused => Err(ApplyError::new("it is refused")),
        Then::Panics => panic!("as the event says"),
    }
}

/// One row for each event, by SQL.
struct Seen<const C: usize>;

#[async_trait]
impl<const C: usize> SqlProjection for Seen<C> {
    type Event = Happened<C>;
    type Database = Sqlite;

    fn tables(&self) -> Vec<SqlTable> {
        const COLUMNS: &[Column] = &[Column::key_of::<i64>("at")];
        vec![SqlTable::new(TableSchema { name: "seen", columns: COLUMNS, indexes: &[] })]
    }
    async fn apply(
        &self,
        event: &Recorded<Happened<C>>,
        connection: &mut SqliteConnection,
    ) -> Result<(), SqlError> {
        handle(event.event.then)?;
        let at = i64::try_from(event.sequence.get()).map_err(ApplyError::new)?;
        let insert = sqlx::query("INSERT INTO seen VALUES (?1, ?1)").bind(at);
        insert.execute(connection).await?;
        Ok(())
    }
}

/// One row that counts.
#[derive(Clone, Debug, PartialEq)]
struct Count {
    name: String,
    events: i64,
}

impl Table for Count {
    type Key = String;
    const SCHEMA: TableSchema = TableSchema {
        name: "count",
        columns: &[Column::key_of::<String>("name"), Column::of::<i64>("events")],
        indexes: &[],
    };

    fn key(&self) -> String {
        self.name.clone()
    }
    fn to_values(&self) -> Result<Vec<Value>, TableError> {
        Ok(vec![cell("name", &self.name)?, cell("events", &self.events)?])
    }
    fn from_values(values: Vec<Value>) -> Result<Self, TableError> {
        let mut cells = Cells::new(values);
        let (name, events) = (cells.take("name")?, cells.take("events")?);
        cells.finish()?;
        Ok(Self { name, events })
    }
}

struct Counting;

impl TableProjection for Counting {
    type Event = Happened<TABLE_PROJECTOR>;
    type Row = Count;

    fn keys(&self, _: &Recorded<Self::Event>) -> Vec<String> {
        vec!["all".into()]
    }
    fn fold(
        &self,
        row: &mut Option<Count>,
        key: &String,
        event: &Recorded<Self::Event>,
    ) -> Result<(), ApplyError> {
        handle(event.event.then)?;
        row.get_or_insert_with(|| Count { name: key.clone(), events: 0 }).events += 1;
        Ok(())
    }
}

fn sql_model<const C: usize>() -> ReadModel {
    ReadModel::named(SLOTS[C]).sql(Seen::<C>).build().unwrap()
}

fn table_model() -> ReadModel {
    ReadModel::named(SLOTS[TABLE_PROJECTOR]).projection(Counting).build().unwrap()
}

/// What happens to a [`Counter`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted;

impl Event for Counted {
    const TYPES: &'static [(&'static str, u32)] = &[("counter.counted", 1)];

    fn event_type(&self) -> &'static str {
        "counter.counted"
    }
    fn schema_version(&self) -> u32 {
        1
    }
    fn encode(&self) -> Result<Bytes, CodecError> {
        Ok("null".into())
    }
    fn decode(_: &str, _: &[u8]) -> Result<Option<Self>, CodecError> {
        Ok(Some(Self))
    }
}

/// What the reactor sends its commands to.
#[derive(Clone, Debug, Default)]
struct Counter(u64);

#[derive(Debug, thiserror::Error)]
#[error("it is refused")]
struct Refused;

impl Aggregate for Counter {
    const CATEGORY: &'static str = "counter";
    type Event = Counted;
    type Command = Then;
    type Error = Refused;

    fn decide(&self, then: Then) -> Result<Vec<Counted>, Refused> {
        if then == Then::IsRefused { Err(Refused) } else { Ok(vec![Counted]) }
    }
    fn evolve(&mut self, _: &Counted) {
        self.0 += 1;
    }
}

fn count_events() -> Reactor {
    let count = |event: &Recorded<Happened<REACTOR>>| {
        assert!(event.then != Then::Panics, "as the event says");
        Reaction::to::<Counter>("1", event.then)
    };
    Reactor::named("counter", Start::Beginning).on(count).build().unwrap()
}

/// An aggregate whose own stream is poisoned.
#[derive(Clone, Debug, Default)]
struct Account(u64);

impl Aggregate for Account {
    const CATEGORY: &'static str = SLOTS[AGGREGATE];
    type Event = Happened<AGGREGATE>;
    type Command = ();
    type Error = Refused;

    fn decide(&self, (): ()) -> Result<Vec<Happened<AGGREGATE>>, Refused> {
        Ok(vec![Happened { then: Then::Counts }])
    }
    fn evolve(&mut self, event: &Happened<AGGREGATE>) {
        assert!(event.then != Then::Panics, "as the event says");
        self.0 += u64::from(event.then == Then::Counts);
    }
}

/// All consumers of a log.
pub struct All {
    store: Arc<dyn EventStore>,
    catalog: Catalog,
    projectors: [(usize, ProjectorHandle); 2],
    reactor: ReactorHandle,
    snapshot: SnapshotName,
    replays: Replays,
    remote: GrpcStore,
    serving: JoinHandle<()>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl All {
    pub async fn start(folder: &TempDir, store: &Arc<dyn EventStore>) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let catalog = annals_projection_sqlite::open(folder.path().join("views")).await.unwrap();
        let mut project = async |model: ReadModel| {
            let options = ProjectorOptions::new(catalog.clone(), model, store.clone());
            let projector = Projector::open(options).await.unwrap();
            let (handle, stop) = (projector.handle(), stop.clone());
            tasks.spawn(async move { drop(projector.run(stop).await) });
            handle
        };
        let sql = project(sql_model::<PROJECTOR>()).await;
        let table = project(table_model()).await;
        let snapshot = snapshot(&catalog, store).await;
        let repositories = Repositories::new(store.clone());
        let worker = ReactorWorker::new(repositories, count_events(), ReactorOptions::default());
        let (reactor, stopped) = (worker.handle(), stop.clone());
        tasks.spawn(async move { drop(worker.run(stopped).await) });
        let replays = Replays::new(store.clone());
        let hosted = [sql_model::<PROJECTOR>(), table_model()];
        let generations = |model| Generations::new(catalog.clone(), model, store.clone());
        let generations = hosted.map(generations).to_vec();
        let worker = ReplayWorker::new(replays.clone(), generations, WorkerOptions::default());
        let stopped = stop.clone();
        tasks.spawn(async move { worker.run(stopped).await.unwrap() });
        let service = Service::bind(ServerOptions::loopback(), store.clone()).await.unwrap();
        let address = format!("http://{}", service.address());
        let serving = tokio::spawn(service.run(stop.clone()));
        let remote = GrpcStore::connect(&address, Default::default()).await.unwrap();
        let projectors = [(PROJECTOR, sql), (TABLE_PROJECTOR, table)];
        let store = store.clone();
        Self { store, catalog, projectors, reactor, snapshot, replays, remote, serving, tasks, stop }
    }

    fn generations<const C: usize>(&self) -> Generations {
        Generations::new(self.catalog.clone(), sql_model::<C>(), self.store.clone())
    }

    /// What the slot's consumer did by the time it reached `head` or stopped.
    pub async fn outcome(&self, slot: usize, head: Sequence) -> Outcome {
        match slot {
            PROJECTOR | TABLE_PROJECTOR => self.projected(slot, head).await,
            CANDIDATE => self.folded::<CANDIDATE>(Origin::Empty).await,
            SNAPSHOT => self.folded::<SNAPSHOT>(Origin::Snapshot(self.snapshot)).await,
            SANDBOX => self.inspected(head).await,
            REACTOR => self.reacted(head).await,
            _ => self.loaded().await,
        }
    }

    async fn projected(&self, slot: usize, head: Sequence) -> Outcome {
        let handle = &self.projectors.iter().find(|(of, _)| *of == slot).unwrap().1;
        let error = loop {
            match handle.state() {
                state if state.position >= head => break None,
                state if matches!(state.activity, Activity::Stopped { .. }) => {
                    break Some(state.activity.to_string());
                }
                _ => tokio::time::sleep(POLL).await,
            }
        };
        Outcome { handled: handle.reader().await.unwrap().status().applied.count, error }
    }

    async fn folded<const C: usize>(&self, origin: Origin) -> Outcome {
        let (generations, id) = (self.generations::<C>(), GenerationId::generate());
        generations.create(id, origin).await.unwrap();
        let folded = generations.fold_to(id, Until::Head, FoldControl::default()).await;
        let handled = generations.status(id).await.unwrap().applied.count;
        Outcome { handled, error: folded.err().map(|error| error.to_string()) }
    }

    /// How far it came before an error cannot be seen: it leaves no trace.
    async fn inspected(&self, head: Sequence) -> Outcome {
        match self.generations::<SANDBOX>().as_of(head, FoldControl::default()).await {
            Ok((inspection, _)) => {
                let handled = inspection.reader().await.unwrap().status().applied.count;
                Outcome { handled, error: None }
            }
            Err(error) => Outcome { handled: EVENTS, error: Some(error.to_string()) },
        }
    }

    async fn reacted(&self, head: Sequence) -> Outcome {
        let error = self.reactor.wait_for(head, PATIENCE).await.err();
        let counter = Repository::<Counter>::new(self.store.clone()).load("1").await.unwrap().state;
        Outcome { handled: counter.0, error: error.map(|_| self.reactor.state().activity.to_string()) }
    }

    /// What came before the event can still be read at its version.
    async fn loaded(&self) -> Outcome {
        let accounts = Repository::<Account>::new(self.store.clone());
        accounts.execute("2", (), Cause::new()).await.unwrap();
        match accounts.load("1").await {
            Ok(loaded) => Outcome { handled: loaded.state.0, error: None },
            Err(error) => {
                let refused = accounts.execute("1", (), Cause::new()).await.unwrap_err();
                assert_eq!(refused.to_string(), error.to_string(), "nothing is decided on half a state");
                Outcome { handled: EVENTS, error: Some(error.to_string()) }
            }
        }
    }

    /// The rest: a replay is carried out, a subscriber over the network gets every event, and causes are found.
    pub async fn assert_the_rest_goes_on(&self, store: &dyn EventStore, head: Sequence, poisoned: Sequence) {
        let id = ReplayId::generate();
        let request =
            ReplayRequest { mode: ReplayMode::Promote, ..ReplayRequest::new(SLOTS[TABLE_PROJECTOR]) };
        self.replays.request(id, request, Cause::new()).await.unwrap();
        let replay = within("a replay", self.replays.settled(id)).await.replay;
        // What stops its projector also stops its candidate.
        match self.projected(TABLE_PROJECTOR, head).await.error {
            None => assert_eq!(replay.phase, Phase::Promoted, "{replay:?}"),
            Some(_) => {
                assert_eq!(replay.phase, Phase::Failed, "{replay:?}");
                let reason = replay.failure.unwrap().reason;
                assert!(reason.contains(&format!("at sequence number {poisoned} of")), "{reason}");
            }
        }

        let all = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
        let mut subscription = self.remote.subscribe(all).await.unwrap();
        let (mut through, mut events) = (Sequence::ZERO, 0);
        while through < head {
            let delivery = within("a delivery", subscription.next()).await.unwrap();
            through = delivery.through;
            events += delivery.events.iter().filter(|event| event.sequence() <= head).count();
        }
        assert_eq!(u64::try_from(events).unwrap(), head.get(), "every event arrives, whatever is in it");
        for at in [Sequence::FIRST, poisoned] {
            assert_causes(store, at).await;
            assert_causes(&self.remote, at).await;
        }
    }

    /// How many replays are listed as unreadable.
    pub fn unreadable_replays(&self) -> usize {
        let unreadable = |status: &annals_replay::ReplayStatus| status.replay.phase == Phase::Unreadable;
        self.replays.list().into_iter().filter(unreadable).count()
    }

    /// No task of a consumer panicked, which in a program's main task would have ended the process.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = within("the end of a consumer", self.tasks.join_next()).await {
            ended.unwrap();
        }
        within("the end of the server", self.serving).await.unwrap();
    }
}

/// A snapshot of the read model of [`SNAPSHOT`] with the events that exist now.
async fn snapshot(catalog: &Catalog, store: &Arc<dyn EventStore>) -> SnapshotName {
    let model = sql_model::<SNAPSHOT>();
    let options = ProjectorOptions::new(catalog.clone(), model.clone(), store.clone());
    let (projector, stop) = (Projector::open(options).await.unwrap(), CancellationToken::new());
    let (handle, stopped) = (projector.handle(), stop.clone());
    let running = tokio::spawn(projector.run(stopped));
    handle.wait_for(store.head().await.unwrap().last, PATIENCE).await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();
    let generations = Generations::new(catalog.clone(), model, store.clone());
    generations.take_snapshot().await.unwrap().name
}
