//! What all that appends has in common: what is stored with each event, and an append within its span.

use crate::{Cause, cause::CONTENT_HEADER};
use annals_event::{Append, Metadata, Receipt};
use annals_store::{AppendError, EventStore, causes::SERVICE_HEADER};
use tracing::Span;

/// How often a decision is made again after a conflict, by default.
pub(crate) const CONFLICT_RETRIES_MAX_DEFAULT: usize = 10;

/// `metadata` as it is stored with events of `service`, except for the trace context.
pub(crate) fn sign(service: Option<&str>, mut metadata: Metadata) -> Metadata {
    if let Some(service) = service {
        metadata.headers.insert(SERVICE_HEADER.to_owned(), service.to_owned());
    }
    metadata
}

/// What is stored with each event that is appended within `span`.
pub(crate) fn metadata(service: Option<&str>, cause: &Cause, span: &Span) -> Metadata {
    let mut metadata = sign(service, cause.metadata.clone());
    if let (Some(_), Some(content)) = (cause.request_id, cause.content) {
        metadata.headers.insert(CONTENT_HEADER.to_owned(), content.to_string());
    }
    let trace = annals_telemetry::context_of(span).or_else(annals_telemetry::current_context);
    metadata.trace = trace.or(metadata.trace);
    metadata
}

/// Appends within the current span, which says if that failed. A conflict is no failure.
pub(crate) async fn append(store: &dyn EventStore, append: &Append) -> Result<Receipt, AppendError> {
    let answered = store.append(append.clone()).await;
    if answered.as_ref().is_err_and(|error| !matches!(error, AppendError::Conflict(_))) {
        Span::current().record("otel.status_code", "ERROR");
    }
    answered
}
