//! Conversions between [`TraceContext`], as events store it, and OpenTelemetry's `SpanContext`.

use annals_event::TraceContext;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use std::str::FromStr;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The context of the current span; `None` if there is none or [`init`](crate::init) was not called.
pub fn current_context() -> Option<TraceContext> {
    context_of(&Span::current()).or_else(|| from_span_context(Context::current().span().span_context()))
}

/// The context of `span`; `None` if it is disabled or [`init`](crate::init) was not called.
///
/// Asking starts the span: its parent can no longer be set.
pub fn context_of(span: &Span) -> Option<TraceContext> {
    from_span_context(span.context().span().span_context())
}

/// The context as events store it; `None` when an id is all zeros.
pub fn from_span_context(context: &SpanContext) -> Option<TraceContext> {
    context.is_valid().then(|| TraceContext {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        flags: context.trace_flags().to_u8(),
        state: context.trace_state().header(),
    })
}

/// The context as OpenTelemetry's, marked as remote. A malformed `tracestate` is left out.
pub fn to_span_context(context: &TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(context.trace_id),
        SpanId::from_bytes(context.span_id),
        TraceFlags::new(context.flags),
        true,
        TraceState::from_str(&context.state).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_goes_there_and_back() {
        let context = TraceContext {
            state: "vendor=value,other=1".into(),
            .."00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap()
        };
        assert_eq!(from_span_context(&to_span_context(&context)), Some(context));
    }

    #[test]
    fn a_span_context_without_ids_is_none() {
        assert_eq!(from_span_context(&SpanContext::empty_context()), None);
    }
}
