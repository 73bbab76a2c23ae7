//! The parts of a service that work in the background: named, started again when they fail, and stopped together.
//!
//! What always holds:
//!
//! * A part that fails does not end the others. It is started again after a wait that grows from 1 s to 60 s, or after the one that
//!   its failure asks for ([`Failure::after`]), and is shown as retrying, with the reason and since when, until it has gone on for as
//!   long as the longest wait.
//! * A part that only people can mend ([`Failure::by_people`]) stays stopped, with the reason, and the rest serves on.
//! * A panic in a part is a failure of it, and is started again.
//! * Parts are told to stop at the same time; what does not stop in time is cut off and named.

use crate::{Ending, config::redacted, sentence};
use annals_store::{Backoff, RESTART_WAIT_MAX};
use futures::FutureExt;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Any error: what the code of a service says of itself.
pub type BuildError = Box<dyn std::error::Error + Send + Sync>;

/// Why a part ended, and who can mend that. No password that stands in the reason is told.
#[derive(Debug)]
pub struct Failure {
    reason: String,
    pub(super) by_people: bool,
    /// `None`: one that grows.
    pub(super) wait: Option<Duration>,
}

impl Failure {
    /// One that may be gone when the part is started again.
    pub fn passing(error: impl Into<BuildError>) -> Self {
        Self { reason: redacted(&sentence(error.into().as_ref())), by_people: false, wait: None }
    }

    /// One that is there until somebody does something, such as an event that cannot be applied.
    pub fn by_people(error: impl Into<BuildError>) -> Self {
        Self { reason: redacted(&sentence(error.into().as_ref())), by_people: true, wait: None }
    }

    /// The part is started again after this wait, which does not grow.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }
}

/// What a part does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartState {
    /// It works.
    Running,
    /// It failed and is started again.
    Retrying {
        /// Since when.
        since: SystemTime,
        /// How often it failed since then.
        attempts: u32,
        /// Why it failed last.
        reason: String,
    },
    /// It stays stopped until somebody mends what the reason names.
    Stopped {
        /// Why.
        reason: String,
    },
    /// It did all that it had to do.
    Done,
}

/// What all parts do. Cloning it gives another handle.
#[derive(Clone, Debug, Default)]
pub struct Parts(Arc<Mutex<BTreeMap<String, PartState>>>);

impl Parts {
    /// What each does now.
    pub fn now(&self) -> BTreeMap<String, PartState> {
        self.0.lock().clone()
    }

    /// What one does.
    pub fn of(&self, name: &str) -> Option<PartState> {
        self.0.lock().get(name).cloned()
    }

    fn set(&self, name: &str, state: PartState) {
        self.0.lock().insert(name.to_owned(), state);
    }

    /// Notes that a part failed again.
    fn failed(&self, name: &str, reason: String) {
        let mut parts = self.0.lock();
        let (since, attempts) = match parts.get(name) {
            Some(PartState::Retrying { since, attempts, .. }) => (*since, attempts.saturating_add(1)),
            _ => (SystemTime::now(), 1),
        };
        parts.insert(name.to_owned(), PartState::Retrying { since, attempts, reason });
    }
}

/// Runs parts. Dropping it is a crash of all of them, which is safe.
#[derive(Debug, Default)]
pub struct Supervisor {
    stop: CancellationToken,
    running: JoinSet<String>,
    parts: Parts,
}

impl Supervisor {
    /// Nothing runs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the parts do.
    pub fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// Runs a part under this name, which no other one has, until the token that it is given is cancelled. `part` makes it
    /// anew for each start.
    pub fn spawn<F, P>(&mut self, name: impl Into<String>, part: F)
    where
        F: FnMut(CancellationToken) -> P + Send + 'static,
        P: Future<Output = Result<(), Failure>> + Send,
    {
        let (name, stop, parts) = (name.into(), self.stop.clone(), self.parts.clone());
        parts.set(&name, PartState::Running);
        self.running.spawn(async move {
            supervise(&name, part, &stop, &parts).await;
            name
        });
    }

    /// Asks all parts to stop and waits until they have, as a step of the program's end. What does not stop in time is cut off.
    pub async fn stop(mut self, ending: &Ending) {
        self.stop.cancel();
        let mut open: Vec<_> = self.parts.now().into_keys().collect();
        let deadline = ending.step();
        while let Ok(Some(ended)) = timeout_at(deadline, self.running.join_next()).await {
            open.retain(|name| ended.as_ref().ok() != Some(name));
        }
        if !self.running.is_empty() {
            open.into_iter().for_each(|name| ending.cut_off(name));
        }
    }
}

async fn supervise<F, P>(name: &str, mut part: F, stop: &CancellationToken, parts: &Parts)
where
    F: FnMut(CancellationToken) -> P + Send,
    P: Future<Output = Result<(), Failure>> + Send,
{
    let mut backoff = Backoff::restart();
    loop {
        let ended = tokio::select! {
            ended = AssertUnwindSafe(async { part(stop.clone()).await }).catch_unwind() => ended,
            never = settle(name, parts) => match never {},
        };
        let ended = ended.unwrap_or_else(|_| Err(Failure::passing("it panicked; see standard error")));
        let failure = match ended {
            _ if stop.is_cancelled() => return,
            Ok(()) => return parts.set(name, PartState::Done),
            Err(failure) => failure,
        };
        let Failure { reason, by_people, wait } = failure;
        if by_people {
            tracing::error!(%reason, "{name} stopped and stays stopped; the rest goes on");
            return parts.set(name, PartState::Stopped { reason });
        }
        if parts.of(name) == Some(PartState::Running) {
            backoff = Backoff::restart();
        }
        tracing::warn!(%reason, "{name} failed and is started again; the rest goes on");
        parts.failed(name, reason);
        let wait = wait.unwrap_or_else(|| backoff.next_wait());
        if stop.run_until_cancelled(sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// A part that has gone on for so long has not failed again.
async fn settle(name: &str, parts: &Parts) -> Infallible {
    sleep(RESTART_WAIT_MAX).await;
    parts.set(name, PartState::Running);
    pending().await
}

#[cfg(test)]
mod tests;
