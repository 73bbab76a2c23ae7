//! Places purchases as orders over HTTP.

use super::purchase::Purchase;
use annals::event::Token;
use annals_shop::ids::OrderId;
use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tracing::{Instrument, Span};

/// A request that takes longer has failed and is repeated.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request that failed for now is repeated, with growing pauses, before the feed gives up.
const RETRIES_MAX: usize = 8;

/// A client of the orders service.
#[derive(Clone, Debug)]
pub struct OrdersClient {
    http: Client,
    orders_url: String,
}

/// What the service made of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The order is new.
    Placed(PlacedAt),
    /// The order was there with equal content.
    Known(PlacedAt),
    /// The order breaks a rule; the service says which.
    Refused(String),
}

/// Where an order is: reading with it sees the order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PlacedAt {
    /// The order.
    pub order_id: OrderId,
    /// That of the order's first event.
    pub token: Token,
}

/// Why an order could not be placed for now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No answer.
    #[error("the orders service does not answer")]
    NoAnswer(#[from] reqwest::Error),
    /// The service failed.
    #[error("the orders service failed with status {status}: {detail}")]
    Failed {
        /// The status.
        status: u16,
        /// What the service says.
        detail: String,
    },
}

#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

impl OrdersClient {
    /// A client of the service at `base_url`, e.g. `http://127.0.0.1:8080`.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        // The service is on this machine: a proxy of the environment would only be in the way.
        let http = Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        Ok(Self { http, orders_url: format!("{base_url}/orders") })
    }

    /// Places the purchase as an order. A request without answer is repeated: the order's id makes that safe.
    pub async fn place(&self, purchase: &Purchase) -> Result<Answer, ClientError> {
        let pauses = ExponentialBuilder::default().with_jitter().with_max_times(RETRIES_MAX);
        (|| self.place_once(purchase)).retry(pauses).await
    }

    /// Each order begins a trace of its own: thousands under one span would be readable by nobody.
    async fn place_once(&self, purchase: &Purchase) -> Result<Answer, ClientError> {
        let body = json!({
            "order_id": purchase.order_id(),
            "customer_id": purchase.customer_id,
            "ordered_on": purchase.ordered_on,
            "items": purchase.items,
            "total_cents": purchase.total,
        });
        let span = annals_telemetry::client_span("POST", "/orders");
        let request = self.http.post(&self.orders_url).headers(trace_headers(&span)).json(&body);
        let response = request.send().instrument(span.clone()).await?;
        let status = response.status();
        annals_telemetry::record_status(&span, status.as_u16());
        match status {
            StatusCode::CREATED => Ok(Answer::Placed(response.json().await?)),
            StatusCode::OK => Ok(Answer::Known(response.json().await?)),
            _ => {
                let Refusal { detail } = response.json().await?;
                refused(status, detail)
            }
        }
    }
}

fn trace_headers(span: &Span) -> HeaderMap {
    let mut headers = HeaderMap::new();
    span.in_scope(|| {
        annals_telemetry::inject_current(|name, value| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        });
    });
    headers
}

fn refused(status: StatusCode, detail: String) -> Result<Answer, ClientError> {
    if status.is_client_error() {
        return Ok(Answer::Refused(detail));
    }
    Err(ClientError::Failed { status: status.as_u16(), detail })
}
