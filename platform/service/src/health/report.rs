//! What is told of a service's health.

use super::{ConsumerKind, told};
use annals_store::ConsumerState;
use serde::Serialize;
use std::{collections::BTreeMap, time::SystemTime};

/// How a service is, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Well.
    Ok,
    /// Requests are answered, but somebody may have to act.
    Degraded,
    /// Requests are to go elsewhere.
    NotReady,
}

/// How a service is, and why.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Why it is not ready; empty: it is.
    pub not_ready: Vec<String>,
    /// What somebody may have to look into.
    pub degraded: Vec<String>,
    /// The log's last sequence number; `None`: the store does not say.
    pub head: Option<u64>,
    consumers: BTreeMap<&'static str, BTreeMap<String, Consumer>>,
}

/// A [`Report`] as it is sent.
#[derive(Serialize)]
pub(super) struct Body {
    status: Status,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_ready: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<String>,
    head: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    consumers: BTreeMap<&'static str, BTreeMap<String, Consumer>>,
}

#[cfg(test)]
impl Body {
    pub(super) fn consumers_behind(&self, name: &str) -> u64 {
        self.consumers.values().filter_map(|consumers| Some(consumers.get(name)?.behind)).sum()
    }
}

#[derive(Clone, Debug, Serialize)]
struct Consumer {
    state: &'static str,
    /// How long it has been in that state.
    for_seconds: u64,
    at: u64,
    behind: u64,
    /// How long ago the first event was recorded that it has not handled yet.
    age_ms: u64,
    /// How long `behind` and `age_ms` have not been looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_for_seconds: Option<u64>,
}

impl Report {
    /// The worst of it.
    pub fn status(&self) -> Status {
        match (self.not_ready.is_empty(), self.degraded.is_empty()) {
            (false, _) => Status::NotReady,
            (true, false) => Status::Degraded,
            (true, true) => Status::Ok,
        }
    }

    pub(super) fn not_ready(&mut self, reason: &str) {
        self.not_ready.push(told(reason));
    }

    pub(super) fn degraded(&mut self, reason: &str) {
        self.degraded.push(told(reason));
    }

    pub(super) fn consumer(&mut self, kind: ConsumerKind, name: &str, state: ConsumerState) {
        if let Some(reason) = state.activity.reason() {
            self.degraded(&format!("{name}: {}: {reason}", state.activity.word()));
        }
        self.consumers.entry(kind.word()).or_default().insert(name.to_owned(), state.into());
    }

    pub(super) fn body(self) -> Body {
        let status = self.status();
        let Self { not_ready, degraded, head, consumers } = self;
        Body { status, not_ready, degraded, head, consumers }
    }
}

impl From<ConsumerState> for Consumer {
    fn from(state: ConsumerState) -> Self {
        let seconds = |since: SystemTime| since.elapsed().unwrap_or_default().as_secs();
        Self {
            state: state.activity.word(),
            for_seconds: seconds(state.since),
            at: state.position.get(),
            behind: state.lag(),
            age_ms: u64::try_from(state.age().as_millis()).unwrap_or(u64::MAX),
            stale_for_seconds: state.stale_since.map(seconds),
        }
    }
}
