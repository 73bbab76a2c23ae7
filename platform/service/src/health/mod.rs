//! Whether a service is well, for people, load balancers and whoever starts it.
//!
//! `/health/live`: the process answers. `/health/ready`, also `/health`: it may be sent requests.
//!
//! What makes a service *not ready* (503):
//!
//! * its event store has not been reached yet;
//! * one of its read models has not caught up for the first time, and goes on catching up;
//! * it was told to stop;
//! * the log in its own data folder takes no appends any more, because a write failed or it is damaged;
//! * a part of it says so ([`Condition::NotReady`]).
//!
//! All else is *degraded* (200): an event store that was reached and is away, a consumer that tries again, needs a replay or has
//! stopped, a part that failed. All replicas have these at the same time, and a service without replicas answers nobody. A consumer
//! that is behind, or stands by, is well.
//!
//! No password that stands in a reason is told.

mod catch_up;
mod report;
#[cfg(test)]
mod tests;

pub use report::{Report, Status};

use crate::{config::redacted, store::OpenStore};
use annals_store::{ConsumerState, EventStore, ReadError, probe};
use annals_store_log::LogStore;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use catch_up::CatchUp;
use parking_lot::Mutex;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// What sort of consumer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConsumerKind {
    /// It folds events into tables.
    ReadModel,
    /// It turns events into commands.
    Reactor,
    /// It follows the log for another reason, as the list of replays does.
    Other,
}

impl ConsumerKind {
    /// The kind in one word, the same for programs and people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadModel => "read_model",
            Self::Reactor => "reactor",
            Self::Other => "other",
        }
    }
}

/// How a part of a service is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Well.
    #[default]
    Well,
    /// Requests are answered, but somebody may have to act.
    Degraded(String),
    /// Requests had better go elsewhere.
    NotReady(String),
}

/// Whether a service is well. Cloning it gives another handle.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<Told>>);

/// What those who know have told.
#[derive(Default)]
struct Told {
    /// `None`: it has not been reached yet.
    store: Option<Arc<dyn EventStore>>,
    /// The log of this process.
    log: Option<LogStore>,
    leaving: bool,
    consumers: BTreeMap<(ConsumerKind, String), Watched>,
    probes: BTreeMap<String, Condition>,
    asked: Vec<Ask>,
}

type Ask = Box<dyn Fn() -> Vec<(String, Condition)> + Send>;

struct Watched {
    state: Box<dyn Fn() -> ConsumerState + Send>,
    catch_up: CatchUp,
}

impl Health {
    /// The health of a service whose store has not been reached yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the store was reached.
    pub fn opened(&self, store: &OpenStore) {
        let mut told = self.0.lock();
        (told.store, told.log) = (Some(store.events().clone()), store.log().cloned());
    }

    /// Notes that the service was told to stop: requests are to go elsewhere from now on.
    pub fn leaving(&self) {
        self.0.lock().leaving = true;
    }

    /// Watches a consumer. Another one of the same kind and name takes its place, but has caught up if that one had.
    pub fn consumer(
        &self,
        kind: ConsumerKind,
        name: impl Into<String>,
        state: impl Fn() -> ConsumerState + Send + 'static,
    ) {
        let (mut told, key) = (self.0.lock(), (kind, name.into()));
        let catch_up = told.consumers.remove(&key).map(|watched| watched.catch_up);
        let catch_up = catch_up.unwrap_or_else(|| CatchUp::of(kind));
        told.consumers.insert(key, Watched { state: Box::new(state), catch_up });
    }

    /// A part that says by itself how it is, such as a connection to somebody else. It is well until it says otherwise.
    pub fn probe(&self, name: impl Into<String>) -> Probe {
        let name = name.into();
        self.0.lock().probes.insert(name.clone(), Condition::Well);
        Probe { health: self.clone(), name }
    }

    /// Parts that are asked how they are, each time that somebody wants to know.
    pub fn ask(&self, parts: impl Fn() -> Vec<(String, Condition)> + Send + 'static) {
        self.0.lock().asked.push(Box::new(parts));
    }

    /// What the consumers do now.
    pub fn consumers(&self) -> Vec<(ConsumerKind, String, ConsumerState)> {
        let told = self.0.lock();
        let consumers = told.consumers.iter();
        consumers.map(|((kind, name), watched)| (*kind, name.clone(), (watched.state)())).collect()
    }

    /// The log of this process, once it is open; `None`: there is none.
    pub fn log(&self) -> Option<LogStore> {
        self.0.lock().log.clone()
    }

    /// How the service is, within [`PROBE_TIME_MAX`](annals_store::PROBE_TIME_MAX), also while the store does not answer.
    pub async fn report(&self) -> Report {
        let store = self.0.lock().store.clone();
        let mut report = Report::default();
        match &store {
            None => report.not_ready("the event store has not been reached yet"),
            Some(store) => look_at_store(&**store, &mut report).await,
        }
        self.0.lock().tell(&mut report);
        report
    }

    /// `/health`, `/health/live` and `/health/ready`.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/health", get(ready))
            .route("/health/ready", get(ready))
            .route("/health/live", get(live))
            .with_state(self.clone())
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.lock().consumers.keys()).finish()
    }
}

/// A part that says by itself how it is.
#[derive(Clone, Debug)]
pub struct Probe {
    health: Health,
    name: String,
}

impl Probe {
    /// Says how it is from now on.
    pub fn set(&self, condition: Condition) {
        self.health.0.lock().probes.insert(self.name.clone(), condition);
    }

    /// It is well.
    pub fn well(&self) {
        self.set(Condition::Well);
    }

    /// Requests are answered, but somebody may have to act.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(Condition::Degraded(reason.into()));
    }

    /// Requests had better go elsewhere.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(Condition::NotReady(reason.into()));
    }
}

impl Told {
    fn tell(&mut self, report: &mut Report) {
        if self.leaving {
            report.not_ready("the service was told to stop");
        }
        if let Some(log) = &self.log
            && let Some(reason) = log.stopped().or_else(|| log.damage().map(|damage| damage.to_string()))
        {
            report.not_ready(&format!("the log takes no appends: {reason}"));
        }
        for ((kind, name), watched) in &mut self.consumers {
            let state = (watched.state)();
            if !watched.catch_up.is_done(&state) {
                report.not_ready(&format!(
                    "{name} has not caught up for the first time; it is {} events behind",
                    state.lag()
                ));
            }
            report.consumer(*kind, name, state);
        }
        let asked = self.asked.iter().flat_map(|ask| ask());
        for (name, condition) in self.probes.clone().into_iter().chain(asked) {
            match condition {
                Condition::Well => {}
                Condition::Degraded(reason) => report.degraded(&format!("{name}: {reason}")),
                Condition::NotReady(reason) => report.not_ready(&format!("{name}: {reason}")),
            }
        }
    }
}

async fn look_at_store(store: &dyn EventStore, report: &mut Report) {
    match probe(store).await {
        Ok(head) => report.head = Some(head.last.get()),
        Err(ReadError::Unavailable { reason }) => {
            report.degraded(&format!("the event store cannot be used now: {reason}"));
        }
        Err(error) => report.degraded(&error.to_string()),
    }
    store.damages().iter().for_each(|damage| report.degraded(&format!("the log is damaged: {damage}")));
    store.warnings().iter().for_each(|warning| report.degraded(warning));
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

async fn live() -> Json<Live> {
    Json(Live { status: "live" })
}

async fn ready(State(health): State<Health>) -> Response {
    let report = health.report().await;
    let code = match report.status() {
        Status::Ok | Status::Degraded => StatusCode::OK,
        Status::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(report.body())).into_response()
}

/// A reason as it may be told to anybody.
fn told(reason: &str) -> String {
    redacted(reason)
}
