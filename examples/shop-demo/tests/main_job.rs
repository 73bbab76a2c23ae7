//! The main job, as the program that people run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

use annals::event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals::store::EventStore;
use annals::store::{LogOptions, LogStore};
use annals_tests::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The header and the first `lines` purchases of the file, as a file in `folder`.
fn slice(folder: &Path, lines: usize) -> PathBuf {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/purchases.csv")).unwrap();
    let slice: Vec<_> = text.lines().take(1 + lines).collect();
    let path = folder.join(format!("first-{lines}.csv"));
    std::fs::write(&path, slice.join("\n")).unwrap();
    path
}

/// The program on this data folder, on a free port.
fn shop(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals-shop-demo"));
    command.arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn feed(data: &Path, purchases: &Path) -> Output {
    shop(data).arg("--purchases").arg(purchases).args(["--once", "--json"]).output().unwrap()
}

/// The report, which is all that stands on standard output.
#[track_caller]
fn report(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = told.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("annals-shop-demo: "), "{told}");
    assert!(!told.contains("panicked") && !told.contains("backtrace"), "{told}");
    last
}

/// Orders, customers, items and cents of a file, counted here without the shop's help.
fn totals_of(purchases: &Path) -> Value {
    let text = std::fs::read_to_string(purchases).unwrap();
    let (mut orders, mut customers, mut items, mut cents) = (0, BTreeSet::new(), 0, 0);
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        orders += 1;
        customers.insert(fields[0].to_owned());
        items += fields[2].parse::<i64>().unwrap();
        cents += fields[3].replace('.', "").parse::<i64>().unwrap();
    }
    json!({"orders": orders, "customers": customers.len(), "items": items, "revenue_cents": cents})
}

#[track_caller]
fn assert_totals(report: &Value, expected: &Value) {
    for key in ["orders", "customers", "items", "revenue_cents"] {
        assert_eq!(report[key], expected[key], "{key}");
    }
}

#[test]
fn the_report_has_the_totals_the_replay_and_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (data, purchases) = (folder.path().join("data"), slice(folder.path(), 1_500));
    let report = report(&feed(&data, &purchases));
    assert_totals(&report, &totals_of(&purchases));
    assert_eq!(report["resumed"], false);
    for key in ["events", "appends", "groups", "syncs", "seconds", "data_dir"] {
        assert!(!report[key].is_null(), "{key}");
    }
    let replay = &report["replay"];
    assert_eq!(replay["read_model"], "customer_value");
    assert_eq!((&replay["verified"], &replay["promoted"]), (&json!(true), &json!(true)));
    assert!(replay["from"].as_u64().unwrap() > 1);
    assert!(replay["snapshot_sequence"].as_u64().unwrap() < replay["from"].as_u64().unwrap());
    for key in ["events", "seconds", "events_per_second", "queries"] {
        assert!(replay[key].as_f64().unwrap() > 0.0, "{key}");
    }
    let trace = &report["trace"];
    assert_eq!(trace["services"], json!(["orders", "payments", "shipping"]));
    assert_eq!(trace["events"], 7);
}

#[test]
fn a_second_run_changes_no_total_and_says_that_it_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, half, all) =
        (folder.path().join("data"), slice(folder.path(), 150), slice(folder.path(), 300));
    assert_totals(&report(&feed(&data, &half)), &totals_of(&half));
    let resumed = report(&feed(&data, &all));
    assert_totals(&resumed, &totals_of(&all));
    assert_eq!((&resumed["feed"]["placed"], &resumed["feed"]["known"]), (&json!(150), &json!(150)));
    let output = feed(&data, &all);
    let again = report(&output);
    assert_totals(&again, &totals_of(&all));
    assert_eq!((&again["resumed"], &again["feed"]["placed"]), (&json!(true), &json!(0)));
    assert!(String::from_utf8_lossy(&output.stderr).contains("resumed"));
}

#[test]
fn bad_lines_are_told_with_their_numbers_and_counted_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let purchases = folder.path().join("bad.csv");
    let lines = [
        "customer_id,date,items,total_usd",
        "0001,1997-01-01,2,29.33",
        "0001,1997-02-30,2,29.33",
        "not a purchase",
        "0002,1997-01-01,0,29.33",
        "0002,1997-01-01,1,0.29",
        "0002,1997-01-01,1,0.29",
    ];
    std::fs::write(&purchases, lines.join("\n")).unwrap();
    let output = feed(&folder.path().join("data"), &purchases);
    let report = report(&output);
    assert_totals(&report, &json!({"orders": 3, "customers": 2, "items": 4, "revenue_cents": 2_991}));
    assert_eq!(report["feed"]["bad_lines"], 3);
    let told = String::from_utf8_lossy(&output.stderr);
    for line in ["line 3: ", "line 4: ", "line 5: "] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn an_empty_file_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let purchases = folder.path().join("empty.csv");
    std::fs::write(&purchases, "").unwrap();
    let report = report(&feed(&folder.path().join("data"), &purchases));
    assert_totals(&report, &json!({"orders": 0, "customers": 0, "items": 0, "revenue_cents": 0}));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.csv");
    let refusal = refusal(&feed(&folder.path().join("data"), &missing));
    assert!(refusal.contains("missing.csv") && refusal.contains("--purchases"), "{refusal}");
    assert!(!folder.path().join("data").exists(), "nothing was touched");
}

/// A shop that serves until it is killed.
struct Serving {
    process: Child,
    url: String,
    /// Kept open: a program whose standard error is closed cannot tell anything.
    _told: BufReader<std::process::ChildStderr>,
}

impl Serving {
    fn start(data: &Path, purchases: &Path) -> Self {
        let mut process = shop(data).arg("--purchases").arg(purchases).spawn().unwrap();
        let mut told = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "the shop ended before it served");
            if let Some(url) = line.trim().strip_prefix("serving  ") {
                break url.to_owned();
            }
        };
        Self { process, url, _told: told }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Waits until the shop has at least so many orders.
    async fn wait_for_orders(&self, count: i64) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/totals", self.url);
        loop {
            let totals: Value = http.get(&url).send().await.unwrap().json().await.unwrap();
            if totals["orders"].as_i64().unwrap() >= count {
                return;
            }
        }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn a_folder_or_a_port_in_use_is_refused_with_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (data, purchases) = (folder.path().join("data"), slice(folder.path(), 10));
    let serving = Serving::start(&data, &purchases);
    let same_folder = refusal(&feed(&data, &purchases));
    assert!(
        same_folder.contains(&format!("at {}", serving.url)) && same_folder.contains("--data"),
        "{same_folder}"
    );
    let other = folder.path().join("other");
    let mut once = Command::new(env!("CARGO_BIN_EXE_annals-shop-demo"));
    once.arg("--data").arg(&other).args(["--listen", serving.address()]);
    let same_port = refusal(&once.output().unwrap());
    let expected = format!("{} is in use by another process", serving.address());
    assert!(same_port.contains(&expected), "{same_port}");
    assert!(!other.exists(), "a folder was made for a port that is not free");
    serving.kill();
}

#[tokio::test]
async fn a_shop_that_was_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (data, purchases) = (folder.path().join("data"), slice(folder.path(), 600));
    for orders in [1, 100, 250] {
        let serving = Serving::start(&data, &purchases);
        serving.wait_for_orders(orders).await;
        serving.kill();
    }
    let report = report(&feed(&data, &purchases));
    assert_totals(&report, &totals_of(&purchases));
    assert_eq!(report["resumed"], true);
    assert_eq!(report["replay"]["verified"], true);
}

#[tokio::test]
async fn a_shop_that_is_asked_to_stop_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (data, purchases) = (folder.path().join("data"), slice(folder.path(), 50));
    let mut serving = Serving::start(&data, &purchases);
    serving.wait_for_orders(50).await;
    // The report on standard output says that the job is done.
    let mut told = BufReader::new(serving.process.stdout.take().unwrap());
    told.read_line(&mut String::new()).unwrap();
    let id = serving.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(serving.process.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_done_says_why_and_the_services_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (data, purchases) = (folder.path().join("data"), slice(folder.path(), 5));
    let log = LogStore::open(data.join("log"), LogOptions::default()).await.unwrap();
    let event = NewEvent::json(EventType::new("order.placed").unwrap(), "{}");
    let stream = StreamName::new("order-poison").unwrap();
    log.append(Append::to(stream, ExpectedVersion::NoStream, vec![event])).await.unwrap();
    log.close().await.unwrap();

    let mut command = shop(&data);
    command.arg("--purchases").arg(&purchases);
    let mut serving = Server::start(command).unwrap();
    let url = serving.line("serving  ").unwrap();
    let why = serving.line("job      not done: ").unwrap();
    assert!(why.contains("order-poison") && why.contains("missing field"), "{why}");
    serving.line(&format!("serving  {url} until")).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(http.get(format!("{url}/totals")).send().await.unwrap().status().is_success());
    serving.signal("TERM").unwrap();
    let (status, said) = serving.ended().unwrap();
    assert_eq!(status.code(), Some(1), "{}", said.join("\n"));
    let once = refusal(&feed(&data, &purchases));
    assert!(once.contains("order-poison"), "{once}");
}

/// The store takes connections, and says nothing.
#[test]
fn a_shop_that_waits_for_its_store_is_stopped_before_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = shop(folder.path());
    command.args(["--store", &format!("http://{}", silent.local_addr().unwrap())]);
    let waiting = Server::start(command).unwrap();
    let _connection = silent.accept().unwrap();
    waiting.signal("TERM").unwrap();
    let (status, said) = waiting.ended().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(said.last().unwrap(), "annals-shop-demo: stopped before it served");
}
