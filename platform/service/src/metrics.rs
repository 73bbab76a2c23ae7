//! `/metrics`: counts and states in the text form of Prometheus.
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
//! | `annals_http_requests_total` | `status` | requests |
//!
//! What always holds: the names of the log are there only where the log is this process's. Counts are since the process began, or
//! since a consumer was last started. Being asked touches no file and asks no other process.

use crate::health::{ConsumerKind, Health};
use annals_store::ConsumerState;
use annals_store_log::Stats;
use axum::{
    Router,
    extract::{Request, State},
    http::header::CONTENT_TYPE,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt, fmt::Write, sync::Arc};

/// The text form that is spoken here.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of a service. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Metrics {
    health: Health,
    requests: Arc<Mutex<BTreeMap<u16, u64>>>,
}

impl Metrics {
    /// Of the log and the consumers that `health` knows.
    pub fn of(health: &Health) -> Self {
        Self { health: health.clone(), requests: Arc::default() }
    }

    /// Counts the answers of these routes by their status.
    pub fn count(&self, routes: Router) -> Router {
        routes.layer(middleware::from_fn_with_state(self.clone(), counted))
    }

    /// `/metrics`.
    pub fn routes(&self) -> Router {
        Router::new().route("/metrics", get(show)).with_state(self.clone())
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = Text::default();
        if let Some(log) = self.health.log() {
            of_log(&mut text, log.stats());
        }
        of_consumers(&mut text, &self.health.consumers());
        let requests = self.requests.lock().clone();
        let requests =
            requests.into_iter().map(|(status, count)| (vec![("status", status.to_string())], count));
        text.family(
            COUNTER,
            "annals_http_requests_total",
            "Requests that were answered, by status.",
            requests,
        );
        text.0
    }
}

async fn show(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT)], metrics.text())
}

async fn counted(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    *metrics.requests.lock().entry(response.status().as_u16()).or_default() += 1;
    response
}

fn of_log(text: &mut Text, stats: Stats) {
    for (kind, name, help, value) in [
        (COUNTER, "annals_log_events_total", "Events written.", stats.events),
        (COUNTER, "annals_log_appends_total", "Appends written.", stats.appends),
        (COUNTER, "annals_log_groups_total", "Groups of appends that were written together.", stats.groups),
        (COUNTER, "annals_log_syncs_total", "Syncs on the way of appends.", stats.syncs),
        (COUNTER, "annals_log_bytes_total", "Bytes written.", stats.bytes),
        (COUNTER, "annals_log_conflicts_total", "Appends refused because of a conflict.", stats.conflicts),
        (
            COUNTER,
            "annals_log_repeats_total",
            "Appends answered with the result of their original.",
            stats.repeats,
        ),
        (GAUGE, "annals_log_segments", "Segments that the log has.", stats.segments),
    ] {
        text.family(kind, name, help, [(Vec::new(), value)]);
    }
}

type Consumer = (ConsumerKind, String, ConsumerState);

fn of_consumers(text: &mut Text, consumers: &[Consumer]) {
    let labels = |(kind, name, _): &Consumer| vec![("kind", kind.word().to_owned()), ("name", name.clone())];
    let mut tell = |kind, name, help, value: fn(&ConsumerState) -> f64| {
        text.family(kind, name, help, consumers.iter().map(|one| (labels(one), value(&one.2))));
    };
    tell(GAUGE, "annals_consumer_position", "Everything up to here is handled.", |state| {
        number(state.position.get())
    });
    tell(GAUGE, "annals_consumer_behind_events", "Sequence numbers behind the log.", |state| {
        number(state.lag())
    });
    let age = "How long ago the first event was recorded that is not handled yet, in seconds.";
    tell(GAUGE, "annals_consumer_age_seconds", age, |state| state.age().as_secs_f64());
    tell(COUNTER, "annals_consumer_handled_events_total", "Sequence numbers moved over.", |state| {
        number(state.handled)
    });
    let retries = "Times that it had to wait for something to pass.";
    tell(COUNTER, "annals_consumer_retries_total", retries, |state| number(state.retries));
    let states = consumers.iter().map(|one| {
        let mut labels = labels(one);
        labels.push(("state", one.2.activity.word().to_owned()));
        (labels, 1)
    });
    text.family(GAUGE, "annals_consumer_state", "1 for the state that it is in.", states);
}

/// What is kept of a count elsewhere is a float anyway.
const fn number(count: u64) -> f64 {
    count as f64
}

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// Lines of Prometheus's text form.
#[derive(Default)]
struct Text(String);

impl Text {
    /// One metric with all its values; without values it is left out.
    fn family<V: fmt::Display>(
        &mut self,
        kind: &str,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Vec<(&'static str, String)>, V)>,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let labels: Vec<_> =
                labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
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
    use axum::{body::Body, http::StatusCode};
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
        let metrics = Metrics::of(&health);
        let routes = metrics.count(Router::new().route("/orders", axum::routing::get(async || "none")));
        get(routes.clone(), "/orders").await;
        get(routes, "/nowhere").await;
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
            r#"annals_http_requests_total{status="200"} 1"#,
            r#"annals_http_requests_total{status="404"} 1"#,
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
