//! Requests that are repeated with their key although their handlers look at an aggregate before they decide.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_aggregate::{Aggregate, decision::writes};
use annals_derive::Event;
use annals_service::{Accepted, App, BuildError, Caller, Problem, Service, TestService};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{Request, StatusCode},
    routing::post,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::convert::Infallible;

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "copy.lent", version = 1)]
struct Lent {
    member: String,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "copy.returned", version = 1)]
struct Returned {}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event)]
enum CopyEvent {
    Lent(Lent),
    Returned(Returned),
}

/// A copy of a book, and who has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Copy {
    member: Option<String>,
}

impl Aggregate for Copy {
    const CATEGORY: &'static str = "copy";
    type Event = CopyEvent;
    type Command = CopyEvent;
    type Error = Infallible;

    fn decide(&self, command: CopyEvent) -> Result<Vec<CopyEvent>, Infallible> {
        Ok(vec![command])
    }
    fn evolve(&mut self, event: &CopyEvent) {
        self.member = match event {
            CopyEvent::Lent(lent) => Some(lent.member.clone()),
            CopyEvent::Returned(_) => None,
        };
    }
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "member.copies_counted", version = 1)]
struct Counted {
    copies: u32,
}

/// A member, and how many copies it has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Member {
    copies: u32,
}

impl Aggregate for Member {
    const CATEGORY: &'static str = "member";
    type Event = Counted;
    type Command = Counted;
    type Error = Infallible;

    fn decide(&self, command: Counted) -> Result<Vec<Counted>, Infallible> {
        Ok(vec![command])
    }
    fn evolve(&mut self, event: &Counted) {
        self.copies = event.copies;
    }
}

#[derive(Deserialize)]
struct Handed {
    member: String,
}

/// Both streams change, and what they were before is for the handler to look at: a copy that is lent cannot be lent again.
async fn lend(
    State(app): State<App>,
    Path(copy): Path<String>,
    caller: Caller,
    Json(Handed { member }): Json<Handed>,
) -> Result<Accepted, Problem> {
    if app.load::<Copy>(&copy).await?.state.member.is_some() {
        return Err(Problem::conflict("it is lent"));
    }
    hand(&app, &copy, &member, CopyEvent::Lent(Lent { member: member.clone() }), 1, caller).await
}

/// Whose streams a return changes is said by the copy.
async fn give_back(
    State(app): State<App>,
    Path(copy): Path<String>,
    caller: Caller,
) -> Result<Accepted, Problem> {
    let member = app.load::<Copy>(&copy).await?.state.member;
    let member = member.ok_or_else(|| Problem::not_found("nobody has it"))?;
    hand(&app, &copy, &member, CopyEvent::Returned(Returned {}), 0, caller).await
}

async fn hand(
    app: &App,
    copy: &str,
    member: &str,
    event: CopyEvent,
    copies: u32,
    caller: Caller,
) -> Result<Accepted, Problem> {
    let subjects = (writes::<Copy>(copy), writes::<Member>(member));
    let decided = app.decide(subjects, caller, |(copy, member)| {
        copy.execute(event.clone()).map_err(Problem::rule)?;
        member.execute(Counted { copies }).map_err(Problem::rule)
    });
    Ok(decided.await?.into())
}

/// Who has the copy: before it is lent, and after that.
async fn lend_and_tell(
    State(app): State<App>,
    Path((copy, how)): Path<(String, String)>,
    caller: Caller,
) -> Result<Json<[Option<String>; 2]>, Problem> {
    let before = app.load::<Copy>(&copy).await?.state.member;
    let lent = CopyEvent::Lent(Lent { member: "ann".to_owned() });
    let lending = {
        let (app, copy) = (app.clone(), copy.clone());
        async move { app.execute::<Copy>(&copy, lent, caller).await.map(drop) }
    };
    match how.as_str() {
        "here" => lending.await?,
        _ => tokio::spawn(lending).await.unwrap()?,
    }
    let after = app.load::<Copy>(&copy).await?.state.member;
    Ok(Json([before, after]))
}

async fn build(service: Service) -> Result<Service, BuildError> {
    let routes = Router::new()
        .route("/copies/{copy}/lendings", post(lend))
        .route("/copies/{copy}/returns", post(give_back))
        .route("/copies/{copy}/told/{how}", post(lend_and_tell));
    Ok(service.routes(routes))
}

/// The same with a snapshot after each event, so that none covers less than all.
async fn build_with_snapshots(service: Service) -> Result<Service, BuildError> {
    Ok(build(service).await?.snapshots::<Copy>(1))
}

async fn ask(service: &TestService, path: &str, key: Option<&str>, body: Value) -> (StatusCode, Value) {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let (parts, body) =
        service.oneshot(request.body(Body::from(body.to_string())).unwrap()).await.into_parts();
    let body = to_bytes(body, 1 << 16).await.unwrap();
    (parts.status, serde_json::from_slice(&body).unwrap())
}

/// Lends a copy and takes it back, each twice with one key, whatever happened in between.
async fn lend_and_give_back_twice(service: &TestService) {
    let (of_ann, of_bob) = (json!({ "member": "ann" }), json!({ "member": "bob" }));
    let (lendings, returns) = ("/copies/1/lendings", "/copies/1/returns");
    let lent = ask(service, lendings, Some("k"), of_ann.clone()).await;
    assert_eq!(lent.0, StatusCode::CREATED, "{}", lent.1);
    assert_eq!(ask(service, lendings, Some("k"), of_ann.clone()).await, lent);
    assert_eq!(ask(service, lendings, None, of_ann.clone()).await.1["detail"], "it is lent");
    let other = ask(service, lendings, Some("k"), of_bob.clone()).await;
    assert_eq!(other.1["detail"], "it is lent", "another request with this key is no repeat");

    let returned = ask(service, returns, Some("k"), json!({})).await;
    assert_eq!(returned.0, StatusCode::CREATED, "{}", returned.1);
    assert_eq!(ask(service, lendings, Some("later"), of_bob).await.0, StatusCode::CREATED);
    assert_eq!(ask(service, returns, Some("k"), json!({})).await, returned);
    assert_eq!(ask(service, lendings, Some("k"), of_ann).await, lent);

    let copy = service.app().load::<Copy>("1").await.unwrap();
    assert_eq!(copy.state.member.as_deref(), Some("bob"));
    assert_eq!(copy.version.get(), 3, "nothing was done twice");
}

#[tokio::test]
async fn a_repeat_of_a_request_that_looks_first_gets_the_first_answer() {
    let service = TestService::start(build).await.unwrap();
    lend_and_give_back_twice(&service).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn it_gets_the_first_answer_also_where_a_snapshot_covers_its_events() {
    let service = TestService::start(build_with_snapshots).await.unwrap();
    lend_and_give_back_twice(&service).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_that_has_acted_sees_what_it_did() {
    let service = TestService::start(build).await.unwrap();
    for how in ["here", "elsewhere"] {
        let path = format!("/copies/{how}/told/{how}");
        for round in ["first", "again"] {
            let (status, told) = ask(&service, &path, Some("k"), json!({})).await;
            assert_eq!((status, told), (StatusCode::OK, json!([null, "ann"])), "{how}, {round}");
        }
        let (_, told) = ask(&service, &path, Some("another"), json!({})).await;
        assert_eq!(told, json!(["ann", "ann"]), "{how}");
    }
    service.stop().await.unwrap();
}
