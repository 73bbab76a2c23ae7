//! What a client is told that sends what is not wanted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_service::{Body, HttpLimits, Params, Segment, finish};
use axum::{
    Extension, Json, Router,
    body::Body as Bytes,
    extract::{Path, Query},
    http::{Request, StatusCode, header, request::Builder},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[expect(dead_code, reason = "only its parsing matters")]
    items: u32,
    #[expect(dead_code, reason = "only its parsing matters")]
    how: Option<How>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Post,
    Courier {
        #[expect(dead_code, reason = "only its parsing matters")]
        hours: u8,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[expect(dead_code, reason = "only its parsing matters")]
    limit: Option<u32>,
    #[expect(dead_code, reason = "only its parsing matters")]
    how: Option<How>,
}

async fn answer(request: Builder, body: impl Into<Bytes>) -> (Response, Value) {
    let take = async |Body(_): Body<Wanted>| "taken";
    let list = async |Params(_): Params<Asked>| "listed";
    let show = async |Segment(_): Segment<u8>| "shown";
    let never = async || std::future::pending::<()>().await;
    let routes = Router::new().route("/things", get(list).post(take)).route("/things/{id}", get(show));
    let routes = routes.route("/never", get(never).post(never).put(never));
    let routes = finish(routes, &HttpLimits::default(), "try /things");
    let response = routes.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (Response::from_parts(parts, Bytes::empty()), json)
}

fn post_json() -> Builder {
    Request::post("/things").header(header::CONTENT_TYPE, "application/json")
}

async fn assert_problem(request: Builder, body: impl Into<Bytes>, expected: (StatusCode, &str)) {
    let (response, json) = answer(request, body).await;
    let (status, detail) = expected;
    assert_eq!(response.status(), status, "{json}");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(json["status"], status.as_u16());
    assert!(json["detail"].as_str().unwrap().contains(detail), "{json}");
    assert!(json["type"].is_string() && json["title"].is_string());
}

#[tokio::test]
async fn a_bad_request_gets_a_problem_that_says_what_to_change() {
    let (bad, shape) = (StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY);
    for (body, expected) in [
        ("{", (bad, "EOF")),
        ("{\"items\":1} {}", (bad, "trailing")),
        ("{\"items\":\"\u{fffd}\\x\"}", (bad, "escape")),
        ("{}", (shape, "missing field `items`")),
        (r#"{"items":1,"itmes":2}"#, (shape, "unknown field `itmes`")),
        (r#"{"items":-1}"#, (shape, "`items` must be a whole number from 0 to 4294967295")),
        (r#"{"items":1,"items":1}"#, (shape, "duplicate field `items`")),
    ] {
        assert_problem(post_json(), body, expected).await;
    }
    let large = " ".repeat(usize::try_from(HttpLimits::BODY_BYTES_MAX_DEFAULT).unwrap() + 1);
    assert_problem(post_json(), large, (StatusCode::PAYLOAD_TOO_LARGE, "16384")).await;
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused_in_words_of_json() {
    for (body, said) in [
        ("[]", "the body must be an object, found an array"),
        (
            r#"{"items":"x"}"#,
            r#"in the body: `items` must be a whole number from 0 to 4294967295, found "x""#,
        ),
        (r#"{"items":-1}"#, "in the body: `items` must be a whole number from 0 to 4294967295, found -1"),
        (r#"{"items":null}"#, "in the body: `items` must be a whole number from 0 to 4294967295, found null"),
        (r#"{"items":1,"how":3}"#, "in the body: `how` must be one of `post`, `courier`, found 3"),
        (r#"{"items":1,"how":"air"}"#, "in the body: `how` must be one of `post`, `courier`, found `air`"),
        (
            r#"{"items":1,"how":{"courier":{"hours":[]}}}"#,
            "in the body: `how.courier.hours` must be a whole number from 0 to 255, found an array",
        ),
        (
            r#"{"items":1,"how":{"courier":[]}}"#,
            "in the body: `how.courier` must be an object, found an array",
        ),
        (r#"{"items":1,"how":{"courier":{}}}"#, "in the body: `how.courier`: missing field `hours`"),
        ("{}", "in the body: missing field `items`"),
        (r#"{"items":1,"size":2}"#, "in the body: unknown field `size`, expected `items` or `how`"),
        (
            r#"{"items":1,"how":{"courier":{"hours":1,"hours":2}}}"#,
            "in the body: `how.courier`: duplicate field `hours`",
        ),
    ] {
        let (response, json) = answer(post_json(), body).await;
        assert_eq!((response.status(), &json["detail"]), (StatusCode::UNPROCESSABLE_ENTITY, &said.into()));
    }
}

#[tokio::test]
async fn a_query_and_a_path_are_refused_in_words_of_the_caller() {
    for (uri, said) in [
        (
            "/things?limit=x",
            r#"in the query: `limit` must be a whole number from 0 to 4294967295, found "x""#,
        ),
        ("/things?limit=", r#"in the query: `limit` must be a whole number from 0 to 4294967295, found """#),
        ("/things?how=air", "in the query: `how` must be one of `post`, `courier`, found `air`"),
        ("/things?page=2", "in the query: unknown field `page`, expected `limit` or `how`"),
        ("/things?limit=1&limit=2", "in the query: duplicate field `limit`"),
        ("/things/x", r#"in the path: `id` must be a whole number from 0 to 255, found "x""#),
        ("/things/%FF", "the path is not UTF-8"),
    ] {
        let (response, json) = answer(Request::get(uri), "").await;
        assert_eq!((response.status(), &json["detail"]), (StatusCode::BAD_REQUEST, &said.into()), "{uri}");
    }
    assert_eq!(answer(Request::get("/things?limit=4&how=post"), "").await.0.status(), StatusCode::OK);
    assert_eq!(answer(Request::get("/things/7"), "").await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let typed = |content_type: &str| Request::post("/things").header(header::CONTENT_TYPE, content_type);
    for request in [Request::post("/things"), typed("text/plain"), typed("application/jsonp"), typed("json")]
    {
        assert_problem(request, r#"{"items":1}"#, (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type")).await;
    }
    for content_type in ["application/json; charset=utf-8", "Application/JSON", "application/order+json"] {
        let (response, json) = answer(typed(content_type), r#"{"items":1}"#).await;
        assert_eq!(response.status(), StatusCode::OK, "{content_type} {json}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_get_a_problem() {
    let unknown = (StatusCode::NOT_FOUND, "there is nothing at /nothing; try /things");
    assert_problem(Request::get("/nothing"), "", unknown).await;
    assert_problem(Request::delete("/things"), "", (StatusCode::METHOD_NOT_ALLOWED, "DELETE")).await;
    let (response, _) = answer(Request::delete("/things"), "").await;
    assert_eq!(response.headers()[header::ALLOW], "GET,HEAD,POST");
}

#[tokio::test]
async fn whoever_waits_no_longer_is_told_whether_to_repeat_the_request() {
    let (once, again) = (["it may have been done", "only if it names its own id"], ["repeat", "request"]);
    for (method, said, is_asked_back) in [("GET", again, true), ("PUT", again, true), ("POST", once, false)] {
        let request = Request::builder().method(method).uri("/never").header("prefer", "wait=0");
        let (response, json) = answer(request, "").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{method}");
        let detail = json["detail"].as_str().unwrap();
        assert!(said.iter().all(|part| detail.contains(part)), "{method}: {detail}");
        assert_eq!(response.headers().contains_key(header::RETRY_AFTER), is_asked_back, "{method}");
    }
}

/// Routes that use axum's own extractors.
async fn answer_of_axum(request: Builder, body: impl Into<Bytes>) -> (Response, Value) {
    let take = async |Json(_): Json<Wanted>| "taken";
    let list = async |Query(_): Query<Asked>| "listed";
    let show = async |Path(_): Path<u8>| "shown";
    let state = async |_: Extension<u8>| "never";
    let routes = Router::new().route("/things", get(list).post(take)).route("/things/{id}", get(show));
    let routes = routes.route("/gone", get(async || StatusCode::GONE)).route("/state", get(state));
    let routes = finish(routes, &HttpLimits::default(), "try /things");
    let response = routes.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (Response::from_parts(parts, Bytes::empty()), json)
}

#[tokio::test]
async fn what_axums_own_extractors_refuse_is_told_as_a_problem() {
    let items = "in the body: `items` must be a whole number from 0 to 4294967295, found -1";
    let many = " ".repeat(usize::try_from(HttpLimits::BODY_BYTES_MAX_DEFAULT).unwrap() + 1);
    for (request, body, status, said) in [
        (post_json(), r#"{"items":-1}"#, StatusCode::UNPROCESSABLE_ENTITY, items),
        (post_json(), "{}", StatusCode::UNPROCESSABLE_ENTITY, "in the body: missing field `items`"),
        (post_json(), "{", StatusCode::BAD_REQUEST, "the body is not JSON: EOF"),
        (post_json(), &many, StatusCode::PAYLOAD_TOO_LARGE, "at most 16384 bytes"),
        (
            Request::post("/things"),
            "{}",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type: application/json",
        ),
        (Request::get("/things?limit=x"), "", StatusCode::BAD_REQUEST, "in the query: `limit`"),
        (
            Request::get("/things/x"),
            "",
            StatusCode::BAD_REQUEST,
            r#"the path must be a whole number from 0 to 255, found "x""#,
        ),
        (Request::get("/things/%FF"), "", StatusCode::BAD_REQUEST, "the path is not UTF-8"),
        (Request::get("/gone"), "", StatusCode::GONE, "gone"),
        (Request::get("/nothing"), "", StatusCode::NOT_FOUND, "there is nothing at /nothing"),
        (Request::delete("/things"), "", StatusCode::METHOD_NOT_ALLOWED, "does not answer DELETE"),
    ] {
        let (response, json) = answer_of_axum(request, body.to_owned()).await;
        assert_eq!(response.status(), status, "{json}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert!(json["detail"].as_str().unwrap().contains(said), "{json}");
    }
}

#[tokio::test]
async fn a_fault_of_the_program_is_logged_and_not_told() {
    let (response, json) = answer_of_axum(Request::get("/state"), "").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(json["detail"], "the server failed to answer; the cause is in its log");
}
