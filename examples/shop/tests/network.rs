//! The shop on an event store that runs elsewhere, and its traces across HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use annals::store_log::{LogStore, Options as LogOptions};
use annals::telemetry;
use annals_event_store::{Options as ServerOptions, Service};
use annals_shop::job::trace;
use reqwest::Client;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use support::{TestShop, order};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// An event store with a log of its own, on a free port.
struct Server {
    address: String,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    log: LogStore,
}

impl Server {
    async fn start(folder: &Path) -> Self {
        Self::start_at(folder, ServerOptions::loopback().listen).await
    }

    async fn start_at(folder: &Path, listen: SocketAddr) -> Self {
        let log = LogStore::open(folder, LogOptions::default()).await.unwrap();
        let options = ServerOptions { listen, ..ServerOptions::loopback() };
        let service = Service::bind(options, Arc::new(log.clone())).await.unwrap();
        let (address, stop) = (format!("http://{}", service.address()), CancellationToken::new());
        let serving = tokio::spawn(service.run(stop.clone()));
        Self { address, stop, serving, log }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.log.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_shop_on_a_remote_store_works_and_requests_and_events_share_a_trace() {
    let telemetry = telemetry::init(telemetry::Options::new("test")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("server")).await;
    let shop = TestShop::start_with(&folder.path().join("shop"), &["--store", &server.address]).await;
    let request = Client::builder().no_proxy().build().unwrap().post(format!("{}/orders", shop.shop.url()));
    let traced = request.header("traceparent", format!("00-{TRACE_ID}-00f067aa0ba902b7-01"));
    let placed = traced.json(&order("o-1", 2_933)).send().await.unwrap();
    assert!(placed.status().is_success());
    shop.settle().await;
    let summary = shop.get("/orders/o-1").await;
    assert_eq!(summary.assert_ok()["parcel"], "shipped");

    let (tree, report) =
        trace::trace(shop.shop.store.events().as_ref(), &"o-1".parse().unwrap()).await.unwrap();
    assert_eq!(
        (report.events, report.services.as_slice()),
        (7, &["orders", "payments", "shipping"].map(str::to_owned)[..])
    );
    let [placed, effects @ ..] = tree.events() else { panic!("the tree is empty") };
    assert_eq!(placed.trace_id.as_deref(), Some(TRACE_ID));
    for effect in effects {
        let of_its_own = effect.trace_id.as_deref().is_some_and(|id| id != TRACE_ID);
        assert!(of_its_own, "{} is linked, never parented", effect.event_type);
    }
    shop.stop().await;
    server.stop().await;
    telemetry.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_health_says_so_and_commands_meet_deadlines() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("server")).await;
    let shop = TestShop::start_with(&folder.path().join("shop"), &["--store", &server.address]).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    shop.settle().await;
    server.stop().await;

    let health = loop {
        let health = shop.get("/health").await;
        let states = ["reactors", "read_models"].map(|kind| health.body[kind].clone());
        let mut consumers = states.iter().flat_map(|states| states.as_object().unwrap().values());
        if consumers.all(|consumer| consumer["state"] == "retrying") {
            break health;
        }
    };
    assert_eq!(health.status, reqwest::StatusCode::SERVICE_UNAVAILABLE);
    assert!(health.body["store"].as_str().unwrap().contains("unavailable"), "{}", health.body);
    let request = Client::builder().no_proxy().build().unwrap().post(format!("{}/orders", shop.shop.url()));
    let late = request.header("prefer", "wait=1").json(&order("o-2", 100)).send().await.unwrap();
    assert_eq!(late.status(), reqwest::StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(late.headers()["content-type"], "application/problem+json");
    shop.get("/orders/o-1").await.assert_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_store_and_its_end_are_told_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("server")).await;
    let address = server.address.clone();
    let mut shop = Command::new(env!("CARGO_BIN_EXE_annals-shop"));
    shop.arg("--data").arg(folder.path().join("shop")).args(["--store", &address]);
    shop.arg("--purchases").arg(support::slice(folder.path(), 1)).env_remove("RUST_LOG");
    let mut shop = shop.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(shop.stderr.take().unwrap()).lines();
    let mut told = Vec::new();
    let mut until = async |due: &str, told: &mut Vec<String>| {
        while told.last().is_none_or(|line| !line.contains(due)) {
            let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
            told.push(line.unwrap_or_else(|_| panic!("never told {due:?}: {told:#?}")).unwrap().unwrap());
        }
    };
    until("until Ctrl-C", &mut told).await;
    server.stop().await;
    until("the event store cannot be used now", &mut told).await;
    let listen = address.trim_start_matches("http://").parse().unwrap();
    let server = Server::start_at(&folder.path().join("server"), listen).await;
    until("the event store can be used again", &mut told).await;
    let count = |due: &str| told.iter().filter(|line| line.contains(due)).count();
    assert_eq!((count("cannot be used now"), count("can be used again")), (1, 1), "{told:#?}");
    shop.kill().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_another_log_are_told_and_refused_orders_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(&folder.path().join("first")).await;
    let data = folder.path().join("shop");
    let shop = TestShop::start_with(&data, &["--store", &first.address]).await;
    shop.post("/orders", order("o-1", 2_933)).await.assert_ok();
    shop.settle().await;
    assert!(!shop.shop.rows_of_another_log && !shop.shop.resumed);
    let listen = first.address.trim_start_matches("http://").parse().unwrap();
    first.stop().await;
    let second = Server::start_at(&folder.path().join("second"), listen).await;
    let refused = shop.post("/orders", order("o-2", 100)).await;
    refused.assert_problem(reqwest::StatusCode::SERVICE_UNAVAILABLE, "holds log");
    shop.end().await;

    let shop = TestShop::start_with(&data, &["--store", &second.address]).await;
    assert!(shop.shop.rows_of_another_log && !shop.shop.resumed);
    shop.get("/orders/o-1").await.assert_ok();
    shop.post("/orders", order("o-2", 100)).await.assert_ok();
    shop.end().await;
    second.stop().await;
}
