//! Refusals in plain text, told as problem+json.
//!
//! What always holds: an answer of a status from 400 on has a body of problem+json, whoever made it: axum's own extractors, a
//! layer, a handler that answers a bare status. A body that is not plain text was made on purpose and is left alone. What axum
//! says of a body, a query or a path is told in the words of who sent it; what it says of the program is logged and not told.

use crate::{
    problem::Problem,
    words::{Place, refusal},
};
use axum::{
    body::to_bytes,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

/// Longest text that is read, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// What axum says before what serde says, and which part of the request it is about.
const DESERIALIZED: [(&str, &str); 3] = [
    ("Failed to deserialize the JSON body into the target type: ", "the body"),
    ("Failed to deserialize form body: ", "the body"),
    ("Failed to deserialize query string: ", "the query"),
];

/// The answer, as a problem if it is a refusal in plain text.
pub(crate) async fn as_problem(answer: Response, body_bytes_max: u32) -> Response {
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) || !is_plain(answer.headers()) {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let text = to_bytes(body, TEXT_BYTES_MAX).await.unwrap_or_default();
    let problem = problem(status, String::from_utf8_lossy(&text).trim(), body_bytes_max);
    let mut answer = problem.into_response();
    // What the program says wins over what a problem says by itself: `retry-after`.
    for name in parts.headers.keys().filter(|name| !is_of_body(name)) {
        answer.headers_mut().remove(name);
        for value in parts.headers.get_all(name) {
            answer.headers_mut().append(name, value.clone());
        }
    }
    answer
}

/// Whether a header tells of the body that it came with, and of no other.
fn is_of_body(name: &HeaderName) -> bool {
    const OF_BODY: [HeaderName; 5] = [
        header::ETAG,
        header::LAST_MODIFIED,
        header::ACCEPT_RANGES,
        header::TRANSFER_ENCODING,
        header::TRAILER,
    ];
    let is_content = name.as_str().starts_with("content-") && name != header::CONTENT_SECURITY_POLICY;
    is_content || OF_BODY.contains(name)
}

/// Plain text, or nothing at all.
fn is_plain(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_none_or(|it| it.starts_with("text/plain"))
}

fn problem(status: StatusCode, text: &str, body_bytes_max: u32) -> Problem {
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        return Problem::internal(&Unexplained(text.to_owned()));
    }
    Problem::of_status(status, in_words(status, text, body_bytes_max))
}

fn in_words(status: StatusCode, text: &str, body_bytes_max: u32) -> String {
    if let Some((whole, said)) =
        DESERIALIZED.iter().find_map(|(begin, whole)| Some((whole, text.strip_prefix(begin)?)))
    {
        // The field says more than the column.
        let (path, said) = path_and_words(said.rsplit_once(" at line ").map_or(said, |(said, _)| said));
        return refusal(Place { whole, path }, said);
    }
    if let Some(said) = text.strip_prefix("Failed to parse the request body as JSON: ") {
        return format!("the body is not JSON: {said}");
    }
    if let Some(said) = text.strip_prefix("Invalid URL: ") {
        return of_path(said);
    }
    match status {
        _ if text.starts_with("Expected request with `Content-Type: application/json`") => {
            "the body must be JSON; send it with the header content-type: application/json".to_owned()
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            format!("the body is too large; at most {body_bytes_max} bytes are allowed")
        }
        _ if text.starts_with("Failed to buffer the request body") => {
            "the body did not come whole; send it again".to_owned()
        }
        _ if text.is_empty() => status.canonical_reason().unwrap_or("refused").to_lowercase(),
        _ => text.to_owned(),
    }
}

/// The path of the field and what serde says of it, which axum puts together with a colon; a path has no spaces.
fn path_and_words(said: &str) -> (&str, &str) {
    let is_path =
        |path: &str| !path.is_empty() && path.chars().all(|c| c.is_alphanumeric() || "_-.[]?".contains(c));
    said.split_once(": ").filter(|(path, _)| is_path(path)).unwrap_or((".", said))
}

/// What axum says of a path's variable, whose name it leaves out where there is one alone.
fn of_path(said: &str) -> String {
    let parsed = || {
        let said = said.strip_prefix("Cannot parse `")?;
        let (path, rest) = said.split_once("` with value `").unwrap_or((".", said));
        if let Some((value, kind)) = rest.rsplit_once("` to a `") {
            let kind = kind.trim_end_matches('`');
            return Some((path, format!("invalid value: string {value:?}, expected {kind}")));
        }
        let (_, said) = rest.split_once("`: ")?;
        Some((path, said.to_owned()))
    };
    match parsed() {
        Some((path, said)) => refusal(Place { whole: "the path", path }, &said),
        None if said.starts_with("Invalid UTF-8") => "the path is not UTF-8".to_owned(),
        None => format!("in the path: {said}"),
    }
}

/// What a part of the program said of itself in plain text.
#[derive(Debug, thiserror::Error)]
#[error("{}", if .0.is_empty() { "the handler answered 500 and said nothing" } else { .0 })]
struct Unexplained(String);

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[tokio::test]
    async fn all_headers_are_kept_that_do_not_tell_of_the_old_body() {
        let headers = [
            (header::SET_COOKIE, "a=1"),
            (header::SET_COOKIE, "b=2"),
            (header::RETRY_AFTER, "60"),
            (header::CONTENT_ENCODING, "identity"),
            (header::ETAG, "\"1\""),
            (header::CONTENT_SECURITY_POLICY, "sandbox"),
        ];
        let mut plain = (StatusCode::SERVICE_UNAVAILABLE, "later").into_response();
        for (name, value) in headers {
            plain.headers_mut().append(name, HeaderValue::from_static(value));
        }
        let told = as_problem(plain, 1).await;
        let all = |name| told.headers().get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all(header::SET_COOKIE), ["a=1", "b=2"]);
        assert_eq!(all(header::RETRY_AFTER), ["60"]);
        assert_eq!(all(header::CONTENT_TYPE), ["application/problem+json"]);
        assert_eq!(all(header::CONTENT_SECURITY_POLICY), ["sandbox"]);
        assert!(all(header::ETAG).is_empty() && all(header::CONTENT_ENCODING).is_empty());
    }

    #[test]
    fn a_path_is_told_apart_from_what_is_said_of_it() {
        for (said, expected) in [
            ("items: invalid type: null, expected u32", ("items", "invalid type: null, expected u32")),
            ("lines[2].price: missing field `cents`", ("lines[2].price", "missing field `cents`")),
            ("missing field `items`", (".", "missing field `items`")),
            ("invalid type: null, expected u32", (".", "invalid type: null, expected u32")),
        ] {
            assert_eq!(path_and_words(said), expected);
        }
    }
}
