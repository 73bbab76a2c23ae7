//! A shop in a temporary folder, and a client of it.

pub mod processes;

use annals::service::Ending;
use annals_shop::options::Options;
use annals_shop::shop::{self, Running, Shop};
use clap::Parser;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const PURCHASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/purchases.csv");

/// How long a test waits for what must come. Long enough for a busy machine; nothing is decided by it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one looks.
const POLL: Duration = Duration::from_millis(5);

/// Every part of the shop that follows the log, as health names it.
pub const CONSUMERS: [&str; 7] = [
    "reactors/orders",
    "reactors/payments",
    "reactors/shipping",
    "read_models/customer_value",
    "read_models/daily_sales",
    "read_models/order_summary",
    "replays",
];

/// What health says of one of them.
pub fn consumer<'a>(health: &'a Value, name: &str) -> &'a Value {
    name.split('/').fold(health, |found, part| &found[part])
}

/// A shop in the test's process.
pub struct TestShop {
    pub shop: Shop,
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
        Self::start_with(data, &[]).await
    }

    /// With more options.
    pub async fn start_with(data: &Path, more: &[&str]) -> Self {
        let data = data.to_str().unwrap();
        let options = ["annals-shop", "--data", data, "--listen", "127.0.0.1:0"];
        let options = Options::parse_from(options.iter().chain(more));
        let (shop, running) = shop::start(&options).await.unwrap();
        let http = Http::of(shop.url());
        Self { shop, running, http }
    }

    pub async fn stop(self) {
        self.running.stop(&Ending::new()).await.unwrap();
    }

    /// Stops it whatever stopped before.
    pub async fn end(self) {
        let _ = self.running.stop(&Ending::new()).await;
    }

    /// Waits until all that was asked for has led to all that it leads to.
    pub async fn settle(&self) {
        annals_shop::job::settle::settle(&self.shop).await.unwrap();
    }
}

impl Http {
    pub fn of(url: String) -> Self {
        Self { url, client: Client::builder().no_proxy().build().unwrap() }
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

/// The header and the first `lines` purchases of the file, as a file in `folder`.
pub fn slice(folder: &Path, lines: usize) -> PathBuf {
    let text = std::fs::read_to_string(PURCHASES).unwrap();
    let slice: Vec<_> = text.lines().take(1 + lines).collect();
    let path = folder.join(format!("first-{lines}.csv"));
    std::fs::write(&path, slice.join("\n")).unwrap();
    path
}
