//! What handlers and tasks have of their service.

use super::{caller::WaitFor, clock::Clock, consumer::Consumer, content};
use crate::Problem;
use annals_aggregate::{
    Aggregate, Cause, ExecuteError, Executed, LoadError, Loaded, Repositories, Repository,
    decision::{DecideError, Decided, Decisions, Subjects},
};
use annals_event::{Timestamp, Token};
use annals_projection::{ProjectorHandle, Reader, Table};
use annals_replay::Replays;
use annals_store::{EventStore, probe};
use parking_lot::Mutex;
use std::{fmt, sync::Arc, time::Duration};

/// How long a reader waits for the token that its caller has.
pub const WAIT_TIME_MAX: Duration = Duration::from_secs(5);

/// A service as its handlers and tasks see it: commands, questions, replays. It is the state of the service's routes; cloning it
/// is cheap.
#[derive(Clone)]
pub struct App {
    /// The service's name, or that of the part of it whose handlers have this.
    name: Arc<str>,
    /// With its name in the events.
    repositories: Arc<Mutex<Repositories>>,
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn EventStore>,
    replays: Replays,
    clock: Clock,
    consumers: Mutex<Vec<Arc<Consumer>>>,
}

impl App {
    pub(super) fn new(name: String, store: Arc<dyn EventStore>, clock: Clock) -> Self {
        let replays = Replays::new(store.clone());
        let consumers = Mutex::default();
        Self::of(name, Arc::new(Inner { store, replays, clock, consumers }))
    }

    fn of(name: String, inner: Arc<Inner>) -> Self {
        let repositories = Repositories::new(inner.store.clone()).service(&name);
        Self { name: name.into(), repositories: Arc::new(Mutex::new(repositories)), inner }
    }

    /// The same service as a part of it sees it, which has a name of its own.
    pub(super) fn part(&self, name: &str) -> Self {
        Self::of(name.to_owned(), self.inner.clone())
    }

    /// Decides on a command and writes the events that result.
    pub async fn execute<A: Aggregate>(
        &self,
        id: &str,
        command: A::Command,
        cause: impl Into<Cause>,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        let cause = cause.into();
        self.repository::<A>().execute(id, command, cause).await
    }

    /// Decides over several streams and writes all that results in one append. `decide` is pure: it is called again, on
    /// fresh states, when one of the streams changed meanwhile. States are loaded from the snapshots that were said of their
    /// aggregates.
    pub async fn decide<P, E>(
        &self,
        subjects: P,
        cause: impl Into<Cause>,
        decide: impl Fn(&mut P::States) -> Result<(), E> + Send + Sync,
    ) -> Result<Decided, E>
    where
        P: Subjects,
        E: From<DecideError>,
    {
        let cause = cause.into();
        Decisions::new(self.repositories()).decide(subjects, cause, decide).await
    }

    /// An aggregate's state. A handler that looks at it first and then decides may be repeated with its `idempotency-key`: until the
    /// handler has executed something, a repeat finds the state as the first request found it ([`Repository::load_for`]). This
    /// holds in the task that answers the request, of a handler that takes its [`Caller`](crate::Caller) and has not made a cause
    /// of it yet; anywhere else it is the state as it is now.
    pub async fn load<A: Aggregate>(&self, id: &str) -> Result<Loaded<A>, LoadError> {
        let repository = self.repository::<A>();
        match content::looks_first() {
            Some(request) => repository.load_for(id, request).await,
            None => repository.load(id).await,
        }
    }

    /// The aggregates of one type, with the service's name and the snapshots that were said of it.
    pub fn repository<A: Aggregate>(&self) -> Repository<A> {
        self.repositories.lock().of()
    }

    /// A view of the read model that has the table of `R`: one that contains the token that its caller has, if there is one.
    pub async fn reader<R: Table>(&self, wait: WaitFor) -> Result<Reader, Problem> {
        let projector = self.projector(R::SCHEMA.name)?;
        let Some(token) = wait.token else { return Ok(projector.reader().await?) };
        if !token.is_covered_by(projector.checkpoint()) && self.never_gave(token).await {
            let detail = format!("wait_for={token} was never given as a token; use one of an answer");
            return Err(Problem::bad_request(detail));
        }
        Ok(projector.wait_for(token, WAIT_TIME_MAX).await?)
    }

    /// The replays of the service's read models.
    pub fn replays(&self) -> &Replays {
        &self.inner.replays
    }

    /// The event store.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.inner.store
    }

    /// What time it is; in a test what the test says. Commands carry the time, since a decision has no clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// From now on this is the repository of `A`.
    pub(super) fn keep<A: Aggregate>(&self, repository: Repository<A>) {
        self.repositories.lock().keep(repository);
    }

    /// The repositories of all types of aggregates, as they are now.
    pub(super) fn repositories(&self) -> Repositories {
        self.repositories.lock().clone()
    }

    pub(super) fn add(&self, consumer: Arc<Consumer>) {
        self.inner.consumers.lock().push(consumer);
    }

    pub(super) fn consumers(&self) -> Vec<Arc<Consumer>> {
        self.inner.consumers.lock().clone()
    }

    fn projector(&self, table: &str) -> Result<ProjectorHandle, Problem> {
        let consumers = self.inner.consumers.lock();
        let found = consumers.iter().find_map(|consumer| consumer.projector_of(table));
        found.ok_or_else(|| Problem::internal(&NoSuchTable(table.to_owned())))
    }

    async fn never_gave(&self, token: Token) -> bool {
        probe(&*self.inner.store).await.is_ok_and(|head| !token.is_covered_by(head.last))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App({})", self.name)
    }
}

/// A handler asks for a table that no read model of the service has.
#[derive(Debug, thiserror::Error)]
#[error(
    "no read model of this service has the table {0:?}; add the one that has it with Service::read_model"
)]
struct NoSuchTable(String);
