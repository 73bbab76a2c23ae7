//! A whole service in a test: in memory, without a port, with a clock that the test moves.

use super::{
    app::App,
    clock::Clock,
    error::ServiceError,
    running::{Assembled, Working, assemble},
    service::Service,
    supervise::{BuildError, PartState, Parts},
};
use crate::{Ending, config::Config, health::Health, store::OpenStore};
use annals_aggregate::encode;
use annals_event::{Append, Event, EventId, ExpectedVersion, Metadata, StreamName, Timestamp, Token};
use annals_store::{Activity, GappedStore};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use serde_json::Value;
use std::{convert::Infallible, slice, time::Duration};
use tempfile::TempDir;
use tower::ServiceExt;

/// When the clock of a test begins: 2026-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// How long consumers may take to handle what is there. Long enough for a busy machine; nothing is decided by it.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
/// How often to look whether they have.
const IDLE_POLL: Duration = Duration::from_millis(1);
/// Longest body of an answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A service on a store in memory, with its read models in a folder that goes with it. Nothing listens: requests go to its routes
/// as they are. Its clock stands still unless the test moves it, and events are recorded at its time.
#[must_use]
pub struct TestService {
    app: App,
    routes: Router,
    working: Working,
    store: GappedStore,
    folder: TempDir,
}

/// An answer of a [`TestService`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, if that is JSON.
    pub body: Value,
}

impl TestService {
    /// Starts what `main` gives to [`Service::run`], without a configuration.
    pub async fn start<B>(build: B) -> Result<Self, ServiceError>
    where
        B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
    {
        Self::start_with("", build).await
    }

    /// The same with a configuration, as `annals.toml` has it: what the service takes with `settings`.
    pub async fn start_with<B>(toml: &str, build: B) -> Result<Self, ServiceError>
    where
        B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
    {
        let folder = tempfile::tempdir().map_err(|error| ServiceError::Build(error.into()))?;
        let mut config = Config::from_toml(toml)?;
        config.name = "test".to_owned();
        if config.read_models.folder.is_some() {
            config.read_models.folder = Some(folder.path().join("read-models"));
        }
        config.read_models.snapshots = folder.path().join("snapshots");
        let (store, clock) = (GappedStore::new(), Clock::at(BEGIN));
        store.set_clock(BEGIN);
        let opened = OpenStore::elsewhere(store.clone());
        let assembled = assemble(config, opened, clock, &Health::new(), &Ending::new(), build).await?;
        let Assembled { app, routes, working, .. } = assembled;
        Ok(Self { app, routes, working, store, folder })
    }

    /// What handlers and tasks have of the service.
    pub fn app(&self) -> App {
        self.app.clone()
    }

    /// What its parts do.
    pub fn parts(&self) -> Parts {
        self.working.supervisor.parts()
    }

    /// Answers a request.
    pub async fn oneshot(&self, request: Request<Body>) -> Response {
        let answered: Result<Response, Infallible> = self.routes.clone().oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }

    /// Answers `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Body::empty()).await
    }

    /// Answers `POST path` with this as its JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &impl Serialize) -> impl Future<Output = Answer> {
        let body = serde_json::to_vec(body).unwrap_or_else(|error| panic!("the body is no JSON: {error}"));
        self.ask("POST", path, body.into())
    }

    async fn ask(&self, method: &str, path: &str, body: Body) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        let request = request.unwrap_or_else(|error| panic!("{path:?} is no path: {error}"));
        let (parts, body) = self.oneshot(request).await.into_parts();
        let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Appends an event, as another service does. Panics if it cannot be appended, with the reason.
    pub async fn append(&self, stream: &str, event: impl Event) -> Token {
        let appended = self.try_append(stream, &event).await;
        appended.unwrap_or_else(|error| panic!("nothing was appended to {stream:?}: {error}"))
    }

    async fn try_append(&self, stream: &str, event: &impl Event) -> Result<Token, BuildError> {
        let events = encode(slice::from_ref(event), &Metadata::default(), |_| EventId::generate())?;
        let append = Append::to(StreamName::new(stream)?, ExpectedVersion::Any, events);
        let receipt = self.app.store().append(append).await?;
        Ok(receipt.events.map_or(receipt.head, |places| places.last).into())
    }

    /// Waits until each read model and each reactor has handled all that is in the log, and what came of that. Panics if one of
    /// them has stopped, with the reason.
    pub async fn idle(&self) {
        let idle = async {
            while !self.is_idle().await {
                tokio::time::sleep(IDLE_POLL).await;
            }
        };
        if tokio::time::timeout(IDLE_TIME_MAX, idle).await.is_err() {
            let consumers = self.app.consumers();
            let states: Vec<_> =
                consumers.iter().map(|it| format!("{}: {:?}", it.part(), it.state())).collect();
            panic!("not idle after {IDLE_TIME_MAX:?}: {}", states.join(", "));
        }
    }

    async fn is_idle(&self) -> bool {
        let head = self.head().await;
        for consumer in self.app.consumers() {
            match consumer.state().activity {
                Activity::Starting => return false,
                Activity::Stopped { reason } => match self.parts().of(&consumer.part()) {
                    // What ended it is told in a moment.
                    Some(PartState::Running) => return false,
                    Some(PartState::Retrying { reason, .. } | PartState::Stopped { reason }) => {
                        panic!("{} stopped: {reason}", consumer.part())
                    }
                    _ => panic!("{} stopped: {reason}", consumer.part()),
                },
                _ => {}
            }
            if !consumer.is_idle(&self.store).await.unwrap_or_else(|error| panic!("{error}")) {
                return false;
            }
        }
        // What one did is for the others to handle.
        head == self.head().await
    }

    async fn head(&self) -> u64 {
        let head = self.app.store().head().await;
        head.unwrap_or_else(|error| panic!("{error}")).last.get()
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// Moves the clock on, and waits until what comes of it is done.
    pub async fn advance(&self, by: Duration) {
        self.store.set_clock(self.app.clock().advance(by));
        self.idle().await;
    }

    /// Stops it in order. Dropping it instead is a crash.
    pub async fn stop(self) -> Result<(), ServiceError> {
        let Self { working, folder, .. } = self;
        let stopped = working.stop(&Ending::new()).await;
        drop(folder);
        stopped
    }
}
