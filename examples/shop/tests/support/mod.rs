//! A shop in a temporary folder, and a client of it.

pub mod processes;

use annals::event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals::service::{Config, Running, Service};
use annals::store::EventStore;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a test waits for what must come. Long enough for a busy machine; nothing is decided by it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one looks.
const POLL: Duration = Duration::from_millis(5);

/// Every part of the shop that follows the log, as health names it.
pub const CONSUMERS: [&str; 7] = [
    "reactor/orders",
    "reactor/payments",
    "reactor/shipping",
    "read_model/customer_value",
    "read_model/daily_sales",
    "read_model/order_summary",
    "other/replays",
];

/// What health says of one of them.
pub fn consumer<'a>(health: &'a Value, name: &str) -> &'a Value {
    name.split('/').fold(&health["consumers"], |found, part| &found[part])
}

/// Whether one of them has handled the whole log.
pub fn is_at_head(health: &Value, name: &str) -> bool {
    health["head"].is_u64() && consumer(health, name)["at"] == health["head"]
}

/// Why somebody may have to act because of one of them.
pub fn reason<'a>(health: &'a Value, name: &str) -> &'a str {
    let state = consumer(health, name)["state"].as_str().unwrap();
    let begin = format!("{}: {state}: ", name.split('/').next_back().unwrap());
    let mut told = health["degraded"].as_array().into_iter().flatten().filter_map(Value::as_str);
    told.find_map(|told| told.strip_prefix(&begin))
        .unwrap_or_else(|| panic!("{begin} is not told: {health:#}"))
}

/// A shop in the test's process.
pub struct TestShop {
    running: Running,
    http: Http,
}

impl Deref for TestShop {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}

/// A client of a shop.
pub struct Http {
    url: String,
    client: Client,
}

/// An answer, taken apart.
pub struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub body: Value,
}

impl TestShop {
    pub async fn start(data: &Path) -> Self {
        Self::with(Config::in_folder("shop", data).unwrap()).await
    }

    /// On the event store that is served there.
    pub async fn start_on(url: &str, data: &Path) -> Self {
        let mut config = Config::in_folder("shop", data).unwrap();
        config.store.url = url.parse().unwrap();
        Self::with(config).await
    }

    /// With another configuration.
    pub async fn with(config: Config) -> Self {
        let running = Service::start(config, annals_shop::build).await.unwrap();
        let http = Http::of(format!("http://{}", running.address()));
        Self { running, http }
    }

    pub fn store(&self) -> Arc<dyn EventStore> {
        self.running.app().store().clone()
    }

    pub async fn head(&self) -> u64 {
        self.store().head().await.unwrap().last.get()
    }

    pub async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    /// Stops it whatever stopped before.
    pub async fn end(self) {
        let _ = self.running.stop().await;
    }
}

impl Http {
    pub fn of(url: String) -> Self {
        Self { url, client: Client::builder().no_proxy().build().unwrap() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.url));
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.client.post(format!("{}{path}", self.url)).json(&body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// The answer to this question, once it is as wanted.
    pub async fn get_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let mut answer = self.get(path).await;
        let coming = async {
            while !wanted(&answer) {
                tokio::time::sleep(POLL).await;
                answer = self.get(path).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, coming).await;
        assert!(came.is_ok(), "{path} remains {}: {}", answer.status, answer.body);
        answer
    }

    /// Waits until all that was asked for has led to all that it leads to: all have handled the whole log, and nothing was added
    /// to it meanwhile.
    pub async fn settle(&self) {
        let all_at_head = |answer: &Answer| {
            CONSUMERS.iter().all(|name| {
                consumer(&answer.body, name)["state"] == "running" && is_at_head(&answer.body, name)
            })
        };
        loop {
            let before = self.get_until("/health", all_at_head).await.body["head"].clone();
            if self.get_until("/health", all_at_head).await.body["head"] == before {
                return;
            }
        }
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let body = response.bytes().await.unwrap();
        Self { status, content_type, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    #[track_caller]
    pub fn assert_ok(&self) -> &Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        &self.body
    }

    #[track_caller]
    pub fn assert_problem(&self, status: StatusCode, detail: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.content_type, "application/problem+json");
        assert_eq!(self.body["status"], status.as_u16());
        let told = self.body["detail"].as_str().unwrap();
        assert!(told.contains(detail), "{told}");
    }
}

/// An order of two CDs under this id.
pub fn order(id: &str, total_cents: i64) -> Value {
    json!({
        "order_id": id, "customer_id": "0001", "ordered_on": "1997-01-18", "items": 2, "total_cents": total_cents,
    })
}

/// An order that nobody can decode: payments and all read models stop at it. Returns where it is.
pub async fn poison(store: &dyn EventStore) -> u64 {
    let event = NewEvent::json(EventType::new("order.placed").unwrap(), "{}");
    let stream = StreamName::new("order-poison").unwrap();
    let poison = Append::to(stream, ExpectedVersion::NoStream, vec![event]);
    store.append(poison).await.unwrap().head.get()
}
