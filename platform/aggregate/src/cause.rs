use annals_event::{CorrelationId, Metadata, Recorded, RequestId};
use std::fmt;

/// The header of stored events with what the request asked for that led to them.
pub(crate) const CONTENT_HEADER: &str = "annals-content";

/// A digest of what a request asks for, made by whoever receives it: two requests of one id with equal contents are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestContent([u8; 16]);

impl From<[u8; 16]> for RequestContent {
    fn from(digest: [u8; 16]) -> Self {
        Self(digest)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for RequestContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Who asks, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// Identifies the request, so that a repeat of it is recognised; one is made when there is none. A request may
    /// execute commands on several aggregates, but only one on each.
    pub request_id: Option<RequestId>,
    /// What that request asks for. A repeat with the same content gets the first result, even if its command would lead to
    /// other events: it may carry the time, or what was read meanwhile. Without it the events must be the same.
    pub content: Option<RequestContent>,
    /// What is stored with each event. Without a correlation id the chain is correlated by its first event; the
    /// trace context is always the one of the span that appends.
    pub metadata: Metadata,
}

impl Cause {
    /// A request from outside about which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// A request that `event` led to: it belongs to the same chain and the same tenant.
    pub fn event<E>(event: &Recorded<E>) -> Self {
        let correlation = event.metadata.correlation_id.unwrap_or_else(|| CorrelationId::from(event.id));
        let metadata = Metadata {
            correlation_id: Some(correlation),
            causation_id: Some(event.id),
            tenant: event.metadata.tenant.clone(),
            subject_key: event.metadata.subject_key.clone(),
            ..Metadata::default()
        };
        Self { metadata, ..Self::default() }
    }

    /// The same with this request id.
    #[must_use]
    pub fn request(self, request_id: RequestId) -> Self {
        Self { request_id: Some(request_id), ..self }
    }

    /// The same, for a request that asks for this.
    #[must_use]
    pub fn content(self, content: RequestContent) -> Self {
        Self { content: Some(content), ..self }
    }

    /// The same, in the chain of `correlation_id`.
    #[must_use]
    pub fn correlation(mut self, correlation_id: CorrelationId) -> Self {
        self.metadata.correlation_id = Some(correlation_id);
        self
    }

    /// The same, on behalf of `actor`.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.metadata.actor = Some(actor.into());
        self
    }

    /// The same, for `tenant`.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.metadata.tenant = Some(tenant.into());
        self
    }
}

impl<E> From<&Recorded<E>> for Cause {
    fn from(event: &Recorded<E>) -> Self {
        Self::event(event)
    }
}
