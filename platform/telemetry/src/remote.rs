//! Trace context over HTTP and gRPC: `traceparent` and `tracestate`, read and set through closures.
//!
//! A parent is set before the span is entered; afterwards it would be ignored.

use crate::{context::to_span_context, current_context, names};
use annals_event::TraceContext;
use opentelemetry::{Context, trace::TraceContextExt};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The first HTTP status that means a server error.
const SERVER_ERROR: u16 = 500;
/// The names of gRPC's status codes, each at the index of its number.
const RPC_STATUS_CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// The gRPC status codes that mean a server error: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE
/// and DATA_LOSS.
const RPC_SERVER_ERRORS: [i32; 6] = [2, 4, 12, 13, 14, 15];

/// The context in a request's headers. Their values are looked up by lower-case name, all of them, since a second one
/// matters. What is malformed counts as absent.
pub fn extract<I: IntoIterator<Item: AsRef<[u8]>>>(
    headers: impl Fn(&'static str) -> I,
) -> Option<TraceContext> {
    TraceContext::from_headers(headers(names::TRACEPARENT), headers(names::TRACESTATE))
}

/// Sets the headers of `context`.
pub fn inject(context: &TraceContext, mut set: impl FnMut(&'static str, &str)) {
    set(names::TRACEPARENT, &context.traceparent());
    if !context.state.is_empty() {
        set(names::TRACESTATE, &context.state);
    }
}

/// Sets the headers of the current span's context, if there is one.
pub fn inject_current(set: impl FnMut(&'static str, &str)) {
    if let Some(context) = current_context() {
        inject(&context, set);
    }
}

/// SERVER: an HTTP request to `route`, the pattern rather than the path. Child of the caller's span, if the headers
/// name one. [`record_status`] adds the outcome.
pub fn server_span<I: IntoIterator<Item: AsRef<[u8]>>>(
    method: &str,
    route: &str,
    headers: impl Fn(&'static str) -> I,
) -> Span {
    let method = known_method(method);
    let span = info_span!(
        parent: None,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        { names::HTTP_REQUEST_METHOD } = method,
        { names::HTTP_ROUTE } = route,
        { names::HTTP_RESPONSE_STATUS_CODE } = Empty,
    );
    under_caller(span, headers)
}

/// CLIENT: an HTTP request to `route` of another service. Set its headers with [`inject_current`] inside it.
pub fn client_span(method: &str, route: &str) -> Span {
    let method = known_method(method);
    info_span!(
        "call",
        otel.name = format!("{method} {route}"),
        otel.kind = "client",
        otel.status_code = Empty,
        { names::HTTP_REQUEST_METHOD } = method,
        { names::HTTP_ROUTE } = route,
        { names::HTTP_RESPONSE_STATUS_CODE } = Empty,
    )
}

/// Records on a [`server_span`] or [`client_span`] which HTTP status the request got.
pub fn record_status(span: &Span, status: u16) {
    span.record(names::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
    if status >= SERVER_ERROR {
        span.record("otel.status_code", "error");
    }
}

/// SERVER: a gRPC call of `method`, e.g. `annals.v1.EventStore/Append`. Child of the caller's span, if the metadata
/// names one. [`record_rpc_status`] adds the outcome.
pub fn rpc_server_span<I: IntoIterator<Item: AsRef<[u8]>>>(
    method: &str,
    metadata: impl Fn(&'static str) -> I,
) -> Span {
    let span = info_span!(
        parent: None,
        "rpc",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        { names::RPC_SYSTEM_NAME } = "grpc",
        { names::RPC_METHOD } = method,
        { names::RPC_RESPONSE_STATUS_CODE } = Empty,
    );
    under_caller(span, metadata)
}

/// CLIENT: a gRPC call of `method`. Set its metadata with [`inject_current`] inside it.
pub fn rpc_client_span(method: &str) -> Span {
    info_span!(
        "rpc",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = Empty,
        { names::RPC_SYSTEM_NAME } = "grpc",
        { names::RPC_METHOD } = method,
        { names::RPC_RESPONSE_STATUS_CODE } = Empty,
    )
}

/// Records on an [`rpc_server_span`] or [`rpc_client_span`] how the call ended, by its gRPC status code.
pub fn record_rpc_status(span: &Span, code: i32) {
    let name = usize::try_from(code).ok().and_then(|code| RPC_STATUS_CODES.get(code)).copied();
    span.record(names::RPC_RESPONSE_STATUS_CODE, name.unwrap_or("UNKNOWN"));
    if RPC_SERVER_ERRORS.contains(&code) {
        span.record("otel.status_code", "error");
    }
}

fn under_caller<I: IntoIterator<Item: AsRef<[u8]>>>(span: Span, headers: impl Fn(&'static str) -> I) -> Span {
    if !span.is_disabled()
        && let Some(caller) = extract(headers)
    {
        // Fails only if there is no OpenTelemetry layer, and then nobody misses the parent.
        let _ = span.set_parent(Context::new().with_remote_span_context(to_span_context(&caller)));
    }
    span
}

/// The method, or `_OTHER`: strangers must not choose span names.
fn known_method(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH" => method,
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(state: &'static str) -> impl Fn(&str) -> Option<&'static str> {
        move |name| match name {
            "traceparent" => Some(PARENT),
            "tracestate" => Some(state),
            _ => None,
        }
    }

    fn injected(context: &TraceContext) -> Vec<(String, String)> {
        let mut set = Vec::new();
        inject(context, |name, value| set.push((name.to_owned(), value.to_owned())));
        set
    }

    #[test]
    fn headers_go_there_and_back() {
        let context = extract(headers("vendor=1")).unwrap();
        assert_eq!(context.traceparent(), PARENT);
        let expected = [("traceparent", PARENT), ("tracestate", "vendor=1")];
        assert_eq!(injected(&context), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_header_that_comes_twice_counts_twice() {
        let twice = |name: &str| match name {
            "traceparent" => vec![PARENT],
            _ => vec!["a=1", "b=2"],
        };
        assert_eq!(extract(twice).unwrap().state, "a=1,b=2");
        assert_eq!(extract(|_| [PARENT, PARENT]), None);
    }

    #[test]
    fn an_empty_tracestate_is_neither_kept_nor_sent() {
        let context = extract(headers("")).unwrap();
        assert_eq!(context.state, "");
        assert_eq!(injected(&context).len(), 1);
    }

    #[test]
    fn bad_headers_are_as_good_as_absent() {
        assert_eq!(extract(|_| None::<&str>), None);
        assert_eq!(extract(|_| Some("nonsense")), None);
        assert_eq!(extract(headers("no equals sign")).unwrap().state, "");
    }

    #[test]
    fn a_method_that_http_does_not_know_is_other() {
        assert_eq!(known_method("POST"), "POST");
        assert_eq!(known_method("<script>"), "_OTHER");
    }
}
