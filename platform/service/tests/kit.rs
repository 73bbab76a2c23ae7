//! What a service is made of beside read models and reactors: snapshots, tasks, settings, decisions, a clock.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use annals_aggregate::{
    Aggregate, Cause,
    decision::{reads, writes},
};
use annals_derive::Event;
use annals_service::{
    Accepted, App, BuildError, Caller, Config, Exit, PartState, Problem, Running, Service, ServiceError,
    TestService,
};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, Request, StatusCode, Uri},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs,
    net::SocketAddr,
    path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

/// A note was written.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "note.written", version = 1)]
struct Written {
    text: String,
    at_us: i64,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event)]
enum NoteEvent {
    Written(Written),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Note {
    texts: Vec<String>,
    last_at_us: i64,
    /// How many events this process folded into it.
    #[serde(skip)]
    folded: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("a note has a text")]
struct Empty;

impl Aggregate for Note {
    const CATEGORY: &'static str = "note";
    type Event = NoteEvent;
    type Command = Written;
    type Error = Empty;

    fn decide(&self, written: Written) -> Result<Vec<NoteEvent>, Empty> {
        if written.text.is_empty() { Err(Empty) } else { Ok(vec![NoteEvent::Written(written)]) }
    }
    fn evolve(&mut self, NoteEvent::Written(written): &NoteEvent) {
        self.texts.push(written.text.clone());
        (self.last_at_us, self.folded) = (written.at_us, self.folded + 1);
    }
}

fn write(text: &str) -> Written {
    Written { text: text.to_owned(), at_us: 0 }
}

async fn started(data: &path::Path) -> Running {
    let config = Config::from_toml(&format!("listen = '127.0.0.1:0'\ndata = {data:?}")).unwrap();
    Service::start(config, async |service| Ok(service.snapshots::<Note>(2))).await.unwrap()
}

/// How many files there are in a folder and below it.
fn files(folder: &path::Path) -> usize {
    let count = |entry: fs::DirEntry| if entry.path().is_dir() { files(&entry.path()) } else { 1 };
    fs::read_dir(folder).unwrap().map(|entry| count(entry.unwrap())).sum()
}

#[tokio::test]
async fn an_aggregates_snapshots_are_kept_and_a_restart_loads_from_them() {
    let data = tempfile::tempdir().unwrap();
    let running = started(data.path()).await;
    for text in ["a", "b", "c", "d", "e"] {
        running.app().execute::<Note>("1", write(text), Cause::new()).await.unwrap();
    }
    running.stop().await.unwrap();
    assert_eq!(files(&data.path().join("snapshots/aggregates")), 1);
    let running = started(data.path()).await;
    let note = running.app().load::<Note>("1").await.unwrap().state;
    assert_eq!(note.texts, ["a", "b", "c", "d", "e"]);
    assert!(note.folded < 2, "{} events were folded again", note.folded);
    running.stop().await.unwrap();
}

/// Fails at its first start, panics at its second, and is done at its third.
fn troubled(service: Service, starts: Arc<AtomicU32>) -> Service {
    service.task("mail", move |_, _| {
        let start = starts.fetch_add(1, Ordering::SeqCst);
        async move {
            match start {
                0 => Err("http://shop:hunter2@mail does not answer".into()),
                1 => panic!("no such address"),
                _ => Ok(()),
            }
        }
    })
}

async fn until(service: &TestService, wanted: impl Fn(&PartState) -> bool) {
    while !service.parts().of("the task mail").is_some_and(|state| wanted(&state)) {
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_or_panics_is_started_again_and_health_says_so() {
    let starts = Arc::new(AtomicU32::new(0));
    let service = TestService::start(async |service| Ok(troubled(service, starts.clone()))).await.unwrap();
    let failed = |times, said: &'static str| move |state: &PartState| matches!(state, PartState::Retrying { attempts, reason, .. } if *attempts == times && reason.contains(said));
    until(&service, failed(1, "does not answer")).await;
    let health = service.get("/health/ready").await;
    assert_eq!((health.status, &health.body["status"]), (StatusCode::OK, &json!("degraded")));
    assert_eq!(health.body["degraded"][0], "the task mail: http://***@mail does not answer");
    until(&service, failed(2, "panicked")).await;
    until(&service, |state| *state == PartState::Done).await;
    assert_eq!(service.get("/health/ready").await.body["status"], "ok");
    assert_eq!(starts.load(Ordering::SeqCst), 3);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_task_that_works_is_told_to_stop_with_the_service() {
    let (working, stopped) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let build = async |service: Service| {
        let (working, stopped) = (working.clone(), stopped.clone());
        Ok(service.task("mail", move |app: App, stop| {
            let (working, stopped) = (working.clone(), stopped.clone());
            async move {
                app.execute::<Note>("1", write("begun"), Cause::new()).await?;
                working.fetch_add(1, Ordering::SeqCst);
                stop.cancelled().await;
                stopped.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }))
    };
    let service = TestService::start(build).await.unwrap();
    while working.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(service.parts().of("the task mail"), Some(PartState::Running));
    service.stop().await.unwrap();
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    url: String,
    retries: u32,
    from: Option<Sender>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sender {
    name: String,
}

async fn build_with_mail(service: Service) -> Result<Service, BuildError> {
    let mail: Mail = service.settings("mail")?;
    let from = Some(Sender { name: "shop".to_owned() });
    assert_eq!(mail, Mail { url: "smtp://mail".to_owned(), retries: 3, from });
    Ok(service)
}

#[tokio::test]
async fn a_table_of_ones_own_is_taken_whole_or_refused_by_key() {
    let good = "mail = { url = 'smtp://mail', retries = 3, from = { name = 'shop' } }";
    TestService::start_with(good, build_with_mail).await.unwrap().stop().await.unwrap();
    for (toml, said) in [
        ("", "mail.url is missing"),
        ("mail = { url = 'smtp://mail' }", "mail.retries is missing"),
        (
            "mail = { url = 'smtp://mail', retries = 'many' }",
            "mail.retries (from annals.toml): invalid value",
        ),
        (
            "mail = { url = 'a', retires = 3 }",
            "mail.retires (from annals.toml): there is no such key; did you mean mail.retries?",
        ),
        (
            "mail = { url = 'a', retries = 3, from = { nam = 'b' } }",
            "mail.from.nam (from annals.toml): there is no such key; did you mean mail.from.name?",
        ),
    ] {
        let Err(refused) = TestService::start_with(toml, build_with_mail).await else { panic!("{toml}") };
        assert!(matches!(refused, ServiceError::Config(_)), "{refused:?}");
        assert_eq!(refused.exit(), Exit::Configuration);
        assert!(refused.to_string().starts_with(said), "{refused}");
    }
}

/// Copies the last text of one note to another one.
async fn copy(
    State(app): State<App>,
    Path((from, to)): Path<(String, String)>,
    caller: Caller,
) -> Result<Accepted, Problem> {
    let copied = app.decide((reads::<Note>(from), writes::<Note>(to)), caller, |(from, to)| {
        let text = from.texts.last().cloned().unwrap_or_default();
        to.execute(write(&text)).map_err(Problem::rule)
    });
    Ok(copied.await?.into())
}

async fn build_copying(service: Service) -> Result<Service, BuildError> {
    Ok(service.routes(Router::new().route("/copies/{from}/{to}", post(copy))))
}

#[tokio::test]
async fn a_service_is_not_ready_for_as_long_as_its_own_probe_says_so() {
    let mut probe = None;
    let build = async |service: Service| {
        probe = Some(service.probe("the bank"));
        Ok(service)
    };
    let service = TestService::start(build).await.unwrap();
    let bank = probe.unwrap();
    assert_eq!(service.get("/health/ready").await.status, StatusCode::OK);
    bank.not_ready("no contract");
    let told = service.get("/health/ready").await;
    assert_eq!(
        (told.status, &told.body["not_ready"][0]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("the bank: no contract"))
    );
    bank.degraded("it is slow");
    assert_eq!(service.get("/health/ready").await.body["status"], "degraded");
    bank.well();
    assert_eq!(service.get("/health/ready").await.status, StatusCode::OK);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_services_own_fallback_answers_and_the_platforms_path_is_its_own() {
    let page = async |uri: Uri| match uri.path() {
        "/index.html" => Ok("a page"),
        "/none.html" => Err((StatusCode::NOT_FOUND, "no such page")),
        _ => Err((StatusCode::NOT_FOUND, "")),
    };
    let routes = Router::new().route("/_annals/own", get(async || "own")).fallback(page);
    let service = TestService::start(async |service| Ok(service.routes(routes))).await.unwrap();
    assert_eq!(service.get("/index.html").await.status, StatusCode::OK);
    for (path, said) in [
        ("/none.html", "no such page"),
        ("/nothing", "there is nothing at /nothing; GET /_annals/v1 lists what the platform answers"),
        ("/_annals/own", "there is nothing at /_annals/own; GET /_annals/v1 lists what the platform answers"),
        (
            "/_annals/v1/none",
            "there is nothing at /_annals/v1/none; GET /_annals/v1 lists what the platform answers",
        ),
    ] {
        let told = service.get(path).await;
        assert_eq!((told.status, &told.body["detail"]), (StatusCode::NOT_FOUND, &json!(said)));
    }
    assert_eq!(service.get("/_annals/v1/replays").await.status, StatusCode::OK);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_path_that_a_service_does_not_have_is_a_problem() {
    let service = TestService::start(build_copying).await.unwrap();
    let told = service.get("/nothing").await;
    let said = "there is nothing at /nothing; GET /_annals/v1 lists what the platform answers";
    assert_eq!((told.status, &told.body["detail"]), (StatusCode::NOT_FOUND, &json!(said)));
    assert_eq!(service.get("/copies/a/b").await.status, StatusCode::METHOD_NOT_ALLOWED);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_decision_over_two_streams_is_one_answer_of_a_route() {
    let service = TestService::start(build_copying).await.unwrap();
    let refused = service.post("/copies/a/b", &json!({})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["detail"], "a note has a text");
    let app = service.app();
    app.execute::<Note>("a", write("first"), Cause::new()).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = Request::post("/copies/a/b").header("idempotency-key", "k-1").body(Body::empty());
        let answer = service.oneshot(request.unwrap()).await;
        answers.push((answer.status(), answer.headers()["annals-token"].clone()));
    }
    assert_eq!(answers[0].0, StatusCode::CREATED);
    assert_eq!(answers[0], answers[1], "a repeat gets the same answer");
    assert_eq!(app.load::<Note>("b").await.unwrap().state.texts, ["first"]);
    service.stop().await.unwrap();
}

/// What the service at `address` answers to `GET path`.
async fn get_at(address: SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn requests_that_ran_out_of_time_are_in_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!(
        "listen = '127.0.0.1:0'\nstore.url = 'memory:'\nhttp.request = '50ms'\ndata = {:?}",
        folder.path()
    );
    let running = Service::start(Config::from_toml(&toml).unwrap(), async |service| {
        let never = get(async || std::future::pending::<()>().await);
        Ok(service.routes(Router::new().route("/never", never)))
    });
    let running = running.await.unwrap();
    let late = get_at(running.address(), "/never").await;
    assert!(late.starts_with("HTTP/1.1 503"), "{late}");
    let told = get_at(running.address(), "/metrics").await;
    assert!(told.contains("annals_http_requests_total{status=\"503\"} 1"), "{told}");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_tests_clock_moves_what_is_recorded_and_what_handlers_see() {
    let service = TestService::start(async |service| Ok(service)).await.unwrap();
    let (app, hour) = (service.app(), Duration::from_secs(3_600));
    let mut times = Vec::new();
    for _ in 0..2 {
        let at_us = app.now().as_micros();
        app.execute::<Note>("1", Written { text: "now".to_owned(), at_us }, Cause::new()).await.unwrap();
        times.push(at_us);
        service.advance(hour).await;
    }
    assert_eq!(times[1] - times[0], i64::try_from(hour.as_micros()).unwrap());
    assert_eq!(service.now(), app.now());
    let history = app.repository::<Note>().history("1").await.unwrap();
    let recorded: Vec<_> = history.iter().map(|event| event.recorded_at.as_micros()).collect();
    assert_eq!(recorded, times, "the log's clock is the test's");
}

async fn write_now(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Json(text): Json<String>,
) -> Result<Accepted, Problem> {
    let written = Written { text, at_us: app.now().as_micros() };
    Ok(app.execute::<Note>(&id, written, caller).await?.into())
}

fn keyed(body: &str) -> Request<Body> {
    let request = Request::post("/notes/1").header("idempotency-key", "7");
    request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap()
}

async fn ask(service: &TestService, body: &str) -> Answered {
    let answer = service.oneshot(keyed(body)).await;
    (answer.status(), answer.headers().get("annals-token").cloned())
}

type Answered = (StatusCode, Option<HeaderValue>);

#[tokio::test]
async fn a_repeat_of_a_command_with_the_time_in_it_gets_the_first_answer() {
    let routes = || Router::new().route("/notes/{id}", post(write_now));
    let service = TestService::start(async |service| Ok(service.routes(routes()))).await.unwrap();
    let first = ask(&service, r#""buy milk""#).await;
    assert_eq!(first.0, StatusCode::CREATED);
    service.advance(Duration::from_secs(3_600)).await;
    assert_eq!(ask(&service, r#""buy milk""#).await, first);
    assert_eq!(ask(&service, r#""buy bread""#).await.0, StatusCode::CONFLICT);
    let told = service.oneshot(keyed(r#""buy bread""#)).await.into_body();
    let told = String::from_utf8(axum::body::to_bytes(told, 1 << 10).await.unwrap().to_vec()).unwrap();
    assert!(told.contains(r#"the idempotency-key \"7\" was sent before with another request"#), "{told}");
    assert_eq!(service.app().load::<Note>("1").await.unwrap().state.texts, ["buy milk"]);
    service.stop().await.unwrap();
}
