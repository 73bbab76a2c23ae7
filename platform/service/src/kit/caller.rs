//! What a request says of itself, and the answer to a command.
//!
//! What always holds: without an `idempotency-key` each request is another one. With one, a repeat of the request (the same method,
//! whole path and tenant) with the same body is recognised by the log, writes nothing and gets the first one's answer, also where
//! its command would lead to other events now, because of the time or of what was read meanwhile; with another body it is refused
//! with 409. Until there is authentication, tenant and correlation are what the caller says.

use super::content::Content;
use crate::Problem;
use annals_aggregate::{Aggregate, Cause, Executed, decision::Decided};
use annals_event::{CorrelationId, RequestId, Token};
use axum::{
    Json,
    extract::{FromRequestParts, OriginalUri, Query},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The header that names a request, so that a repeat of it is recognised.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header with the id of the chain that the request belongs to: a UUID, or any other text, which stands for an id made from it.
pub const CORRELATION_ID: &str = "x-correlation-id";
/// The header with the tenant on whose behalf the request is made.
pub const TENANT: &str = "annals-tenant";
/// The header with a token: in an answer that of the command, in a request the one to wait for.
pub const TOKEN: &str = "annals-token";
/// The parameter with the token to wait for.
const WAIT_FOR: &str = "wait_for";
/// Longest text of a header, in bytes.
const TEXT_BYTES_MAX: usize = 255;

/// Who makes a request, as far as it says so: the cause of what it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// Identifies the request.
    pub request_id: Option<RequestId>,
    /// The chain that it belongs to.
    pub correlation_id: Option<CorrelationId>,
    /// On whose behalf it is made.
    pub tenant: Option<String>,
    /// What it asks for, as far as its body was read.
    content: Option<Content>,
}

impl From<Caller> for Cause {
    fn from(Caller { request_id, correlation_id, tenant, content }: Caller) -> Self {
        if let Some(content) = &content {
            content.acts();
        }
        let mut cause = Self::new();
        cause.content = content.zip(request_id).map(|(content, id)| content.digest(id));
        cause.request_id = request_id;
        cause.metadata.correlation_id = correlation_id;
        cause.metadata.tenant = tenant;
        cause
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let tenant = text(parts, TENANT)?.map(str::to_owned);
        let correlation_id = text(parts, CORRELATION_ID)?;
        let correlation_id =
            correlation_id.map(|id| id.parse().unwrap_or_else(|_| CorrelationId::from_name(id)));
        let request_id = text(parts, IDEMPOTENCY_KEY)?.map(|key| {
            // Within a nested router the path lacks its beginning.
            let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
            let (method, path) = (&parts.method, uri.path());
            let tenant = tenant.as_deref().unwrap_or_default();
            RequestId::from_name(&format!("{tenant}\n{method} {path}\n{key}"))
        });
        let content = parts.extensions.get::<Content>().cloned();
        if let Some((content, id)) = content.as_ref().zip(request_id) {
            content.named(id);
        }
        Ok(Self { request_id, correlation_id, tenant, content })
    }
}

/// The header, if there is one: text of a bounded length. Of two nobody knows which is meant.
fn text<'a>(parts: &'a Parts, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = parts.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::bad_request(format!("the header {name} stands more than once")));
    }
    match value.to_str() {
        Ok(text) if (1..=TEXT_BYTES_MAX).contains(&text.len()) => Ok(Some(text)),
        _ => Err(Problem::bad_request(format!(
            "the header {name} must be 1 to {TEXT_BYTES_MAX} characters of ASCII"
        ))),
    }
}

/// What a question waits for: the answer contains what the token's command did. It stands after the `?` as
/// `wait_for=<token>`, or in the header `annals-token`. Without one the answer is what is there now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitFor {
    pub(super) token: Option<Token>,
}

impl WaitFor {
    /// Waits for what the token's command did.
    pub const fn token(token: Token) -> Self {
        Self { token: Some(token) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WaitFor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = pairs.map_err(|_| Problem::bad_request("the query is not UTF-8"))?;
        let parse = |place: String, token: &str| {
            token.parse().map_err(|_| Problem::bad_request(format!("{place} must be the token of an answer")))
        };
        if let Some((_, token)) = pairs.iter().find(|(name, _)| name == WAIT_FOR) {
            return parse(format!("in the query: `{WAIT_FOR}`"), token).map(Self::token);
        }
        let token = text(parts, TOKEN)?.map(|token| parse(format!("the header {TOKEN}"), token));
        Ok(Self { token: token.transpose()? })
    }
}

/// The answer to a command that was executed: its token, as `{"token"}` and in the header `annals-token`. A question that waits
/// for it sees what the command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The token.
    pub token: Token,
    /// Whether something was written, now or by the request that this one repeats: 201 instead of 200.
    pub created: bool,
}

impl<A: Aggregate> From<Executed<A>> for Accepted {
    fn from(executed: Executed<A>) -> Self {
        Self { token: executed.token, created: !executed.events.is_empty() }
    }
}

impl From<Decided> for Accepted {
    fn from(decided: Decided) -> Self {
        Self { token: decided.token, created: decided.events > 0 }
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let status = if self.created { StatusCode::CREATED } else { StatusCode::OK };
        let header = [(TOKEN, self.token.to_string())];
        (status, header, Json(json!({ "token": self.token }))).into_response()
    }
}

#[cfg(test)]
mod tests;
