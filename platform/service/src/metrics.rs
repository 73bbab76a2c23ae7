//! Counts and states of a service: `/metrics` in the text form of Prometheus, and the same for a collector by OTLP.
//!
//! | name | labels | unit |
//! |---|---|---|
//! | `annals_log_events_total`, `annals_log_appends_total` | | written by this process's log |
//! | `annals_log_groups_total`, `annals_log_syncs_total` | | groups of appends, and syncs on their way |
//! | `annals_log_bytes_total` | | bytes written |
//! | `annals_log_conflicts_total`, `annals_log_repeats_total` | | appends refused, and answered again |
//! | `annals_log_segments` | | segments |
//! | `annals_consumer_position` | `kind`, `name` | sequence number |
//! | `annals_consumer_behind_events` | `kind`, `name` | events |
//! | `annals_consumer_age_seconds` | `kind`, `name` | seconds |
//! | `annals_consumer_handled_events_total` | `kind`, `name` | events; of a read model those that it folded or skipped |
//! | `annals_consumer_retries_total` | `kind`, `name` | waits for something to pass |
//! | `annals_consumer_state` | `kind`, `name`, `state` | 1 for the state that it is in |
//! | `annals_read_model_folds_total` | `name` | folds: batches whose rows were written in one transaction |
//! | `annals_read_model_folded_events_total` | `name` | events that its live generation applied |
//! | `annals_http_requests_total` | `status` | requests, also those of health and metrics and those that the server refused by itself |
//!
//! What always holds: whoever asks and a collector get the same names and values. The names of the log are there only where the log
//! is this process's. Counts are since the process began, or since a consumer was last started. Being asked touches no file and
//! asks no other process.

use crate::{
    Answered,
    health::{ConsumerKind, Health},
};
use annals_store::ConsumerState;
use annals_store_log::Stats;
use annals_telemetry::{Instrument, Observed};
use axum::{Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use std::{
    fmt::Write,
    sync::{Arc, OnceLock},
};

/// The text form that is spoken here.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of a service. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    health: Health,
    /// Of the server that answers, if there is one.
    answered: OnceLock<Answered>,
}

/// A metric with all its values.
struct Family {
    instrument: Instrument,
    name: &'static str,
    help: &'static str,
    /// None: the service has nothing of the kind.
    values: fn(&Inner) -> Vec<Observed>,
}

impl Metrics {
    /// Of the log and the consumers that `health` knows.
    pub fn of(health: &Health) -> Self {
        Self(Arc::new(Inner { health: health.clone(), answered: OnceLock::new() }))
    }

    /// Tells what a server answered, too: that of [`HttpServer::answered`](crate::HttpServer::answered). There is one; the first stays.
    pub fn tell_answered(&self, answered: Answered) {
        let _ = self.0.answered.set(answered);
    }

    /// `/metrics`.
    pub fn routes(&self) -> Router {
        Router::new().route("/metrics", get(show)).with_state(self.clone())
    }

    /// Sends the same to the collector that [`annals_telemetry::init`] found, if it did, for as long as there is a handle to this.
    /// A collector does not tell two services of one process apart.
    pub fn export(&self) {
        for Family { instrument, name, help, values } in FAMILIES {
            let inner = Arc::downgrade(&self.0);
            let values = move || inner.upgrade().map(|inner| values(&inner)).unwrap_or_default();
            annals_telemetry::observe(*instrument, name, help, values);
        }
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        FAMILIES.iter().for_each(|family| tell(&mut text, family, &(family.values)(&self.0)));
        text
    }
}

async fn show(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT)], metrics.text())
}

const fn counter(name: &'static str, help: &'static str, values: fn(&Inner) -> Vec<Observed>) -> Family {
    Family { instrument: Instrument::Counter, name, help, values }
}

const fn gauge(name: &'static str, help: &'static str, values: fn(&Inner) -> Vec<Observed>) -> Family {
    Family { instrument: Instrument::Gauge, name, help, values }
}

const FAMILIES: &[Family] = &[
    counter("annals_log_events_total", "Events written.", |it| it.log(|log| log.events)),
    counter("annals_log_appends_total", "Appends written.", |it| it.log(|log| log.appends)),
    counter("annals_log_groups_total", "Groups of appends that were written together.", |it| {
        it.log(|log| log.groups)
    }),
    counter("annals_log_syncs_total", "Syncs on the way of appends.", |it| it.log(|log| log.syncs)),
    counter("annals_log_bytes_total", "Bytes written.", |it| it.log(|log| log.bytes)),
    counter("annals_log_conflicts_total", "Appends refused because of a conflict.", |it| {
        it.log(|log| log.conflicts)
    }),
    counter("annals_log_repeats_total", "Appends answered with the result of their original.", |it| {
        it.log(|log| log.repeats)
    }),
    gauge("annals_log_segments", "Segments that the log has.", |it| it.log(|log| log.segments)),
    gauge("annals_consumer_position", "Everything up to here is handled.", |it| {
        it.consumers(|state| number(state.position.get()))
    }),
    gauge("annals_consumer_behind_events", "Sequence numbers behind the log.", |it| {
        it.consumers(|state| number(state.lag()))
    }),
    gauge(
        "annals_consumer_age_seconds",
        "How long ago the first event was recorded that is not handled yet, in seconds.",
        |it| it.consumers(|state| state.age().as_secs_f64()),
    ),
    counter("annals_consumer_handled_events_total", "Sequence numbers moved over.", |it| {
        it.consumers(|state| number(state.handled))
    }),
    counter("annals_consumer_retries_total", "Times that it had to wait for something to pass.", |it| {
        it.consumers(|state| number(state.retries))
    }),
    gauge("annals_consumer_state", "1 for the state that it is in.", Inner::states),
    counter("annals_read_model_folds_total", "Batches whose rows were written in one transaction.", |it| {
        it.read_models(|state| number(state.folds))
    }),
    counter("annals_read_model_folded_events_total", "Events that were applied to its live rows.", |it| {
        it.read_models(|state| number(state.folded))
    }),
    counter("annals_http_requests_total", "Requests that were answered, by status.", Inner::requests),
];

impl Inner {
    fn log(&self, count: fn(Stats) -> u64) -> Vec<Observed> {
        let value = self.health.log().map(|log| number(count(log.stats())));
        value.map(|value| Observed { labels: Vec::new(), value }).into_iter().collect()
    }

    fn consumers(&self, value: fn(&ConsumerState) -> f64) -> Vec<Observed> {
        let of = |(kind, name, state)| Observed { labels: labels(kind, name), value: value(&state) };
        self.health.consumers().into_iter().map(of).collect()
    }

    fn states(&self) -> Vec<Observed> {
        let of = |(kind, name, state): (_, _, ConsumerState)| {
            let mut labels = labels(kind, name);
            labels.push(("state", state.activity.word().to_owned()));
            Observed { labels, value: 1.0 }
        };
        self.health.consumers().into_iter().map(of).collect()
    }

    fn read_models(&self, value: fn(&ConsumerState) -> f64) -> Vec<Observed> {
        let models =
            self.health.consumers().into_iter().filter(|(kind, ..)| *kind == ConsumerKind::ReadModel);
        models
            .map(|(_, name, state)| Observed { labels: vec![("name", name)], value: value(&state) })
            .collect()
    }

    fn requests(&self) -> Vec<Observed> {
        let of = |(status, count): (u16, u64)| Observed {
            labels: vec![("status", status.to_string())],
            value: number(count),
        };
        self.answered.get().into_iter().flat_map(Answered::now).map(of).collect()
    }
}

fn labels(kind: ConsumerKind, name: String) -> Vec<(&'static str, String)> {
    vec![("kind", kind.word().to_owned()), ("name", name)]
}

/// What is kept of a count elsewhere is a float anyway.
const fn number(count: u64) -> f64 {
    count as f64
}

/// One metric in Prometheus's text form; without values it is left out.
fn tell(text: &mut String, family: &Family, values: &[Observed]) {
    if values.is_empty() {
        return;
    }
    let Family { instrument, name, help, .. } = family;
    let kind = match instrument {
        Instrument::Counter => "counter",
        Instrument::Gauge => "gauge",
    };
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for Observed { labels, value } in values {
        let labels: Vec<_> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OpenStore;
    use annals_event::Sequence;
    use annals_store::{Activity, ConsumerBoard, GappedStore};
    use axum::{body::Body, extract::Request, http::StatusCode};
    use tower::ServiceExt;

    async fn get(router: Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn consumers_and_requests_are_told_with_their_labels() {
        let (health, board) = (Health::new(), ConsumerBoard::new());
        health.opened(&OpenStore::elsewhere(GappedStore::new()));
        let watch = board.watch();
        health.consumer(ConsumerKind::ReadModel, "say \"hi\"", move || watch.state());
        board.set(Activity::Retrying { reason: "the database is away".to_owned() });
        board.heard(Sequence::new(12));
        board.moved(Sequence::new(9));
        board.folded(4);
        let metrics = Metrics::of(&health);
        let answered = Answered::default();
        [200, 404, 404].iter().for_each(|status| answered.count(*status));
        metrics.tell_answered(answered);
        let (status, text) = get(metrics.routes(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        for line in [
            "# TYPE annals_consumer_behind_events gauge",
            r#"annals_consumer_behind_events{kind="read_model",name="say \"hi\""} 3"#,
            r#"annals_consumer_age_seconds{kind="read_model",name="say \"hi\""} 0"#,
            "# TYPE annals_consumer_handled_events_total counter",
            r#"annals_consumer_handled_events_total{kind="read_model",name="say \"hi\""} 9"#,
            r#"annals_consumer_retries_total{kind="read_model",name="say \"hi\""} 1"#,
            r#"annals_consumer_state{kind="read_model",name="say \"hi\"",state="running"} 1"#,
            r#"annals_read_model_folds_total{name="say \"hi\""} 1"#,
            r#"annals_read_model_folded_events_total{name="say \"hi\""} 4"#,
            r#"annals_http_requests_total{status="200"} 1"#,
            r#"annals_http_requests_total{status="404"} 2"#,
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("annals_log"), "{text}");
    }

    #[tokio::test]
    async fn the_log_of_this_process_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let config = crate::Config::from_toml(&format!("data = {:?}", folder.path())).unwrap();
        let store = crate::store::open(&config.store, &config.log).await.unwrap();
        let health = Health::new();
        health.opened(&store);
        let text = Metrics::of(&health).text();
        assert!(
            text.contains("# TYPE annals_log_appends_total counter\nannals_log_appends_total 0\n"),
            "{text}"
        );
        assert!(text.contains("# TYPE annals_log_segments gauge\nannals_log_segments 1\n"), "{text}");
        store.close().await.unwrap();
    }
}
