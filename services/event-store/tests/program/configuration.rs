//! What the program is configured with, and what it ends with.

use crate::{PATIENCE, Program, command, support::one_event, without_settings};
use annals_event::Sequence;
use annals_store::{EventStore, Filter, Subscribe};
use std::{fs, path::Path, process::Stdio};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

/// The program in this folder, whose file is read.
fn within(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = without_settings(Command::new(crate::PROGRAM));
    command.current_dir(folder).args(arguments).env_remove("RUST_LOG");
    command
}

/// What it ends with by itself, and everything that it said.
async fn ended(mut command: Command) -> (Option<i32>, String) {
    let output = command.kill_on_drop(true).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it serves").unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), said.concat())
}

/// The lines of a configuration, with one space between words.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn a_flag_wins_over_a_variable_that_over_the_file_and_old_flags_count() {
    let folder = tempfile::tempdir().unwrap();
    let file = "data = 'file'\nlog = { reserve = '1 GiB', retain_age = '30d' }\nevent_store.backups = 'backups'\n\
        http.connections = 5";
    fs::write(folder.path().join("annals.toml"), file).unwrap();
    let old = ["--retain-days", "7", "--scrub-mib-per-s=2", "--trust-clock", "--request-ms-max", "300"];
    let mut print = within(folder.path(), &["--print-config", "--log.reserve=2 GiB"]);
    print.args(old).env("ANNALS_DATA", "variable").env("ANNALS_LOG__RESERVE", "3 GiB");
    print.env("ANNALS_EVENT_STORE__SUBSCRIPTIONS", "9");
    let (code, said) = ended(print).await;
    assert_eq!(code, Some(0), "{said}");
    let lines = lines(&said);
    for line in [
        "listen = \"127.0.0.1:7400\" # default",
        "data = \"variable\" # ANNALS_DATA",
        "log.retain_age = \"7d\" # --retain-days",
        "log.reserve = \"2 GiB\" # --log.reserve",
        "log.scrub = \"2 MiB/s\" # --scrub-mib-per-s",
        "log.trust_clock = true # --trust-clock",
        "http.request = \"300ms\" # --request-ms-max",
        "http.connections = 5 # annals.toml",
        "event_store.backups = \"backups\" # annals.toml",
        "event_store.serve_damaged = false # default",
        "event_store.subscriptions = 9 # ANNALS_EVENT_STORE__SUBSCRIPTIONS",
    ] {
        assert!(lines.iter().any(|told| told == line), "{line} is missing in\n{said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is made");
}

#[tokio::test]
async fn a_wrong_configuration_ends_it_with_2_in_one_line_without_a_password() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, told) in [
        ("--log.resrve=1 MiB", "did you mean log.reserve?"),
        ("--event_store.backup=x", "did you mean event_store.backups?"),
        ("--reserve-byts=1", "did you mean --reserve-bytes?"),
        ("--log.reserve=1", "1 has no unit"),
        ("--retain-days=0", "drops every event"),
        ("--retain-days=soon", "must be a whole number"),
        ("--serve-damaged=yes", "it takes no value"),
        ("--connections-max=0", "no whole number from 1 on"),
        ("--subscriptions-max=0", "event_store.subscriptions (from --subscriptions-max)"),
        ("--store.url=http://shop:hunter2@events:7400", "there is no such key"),
        ("--listen=http://shop:hunter2@events:7400", "http://***@events:7400"),
        ("--log.scrub=http://shop:hunter2@events:7400", "is no number of bytes a second"),
    ] {
        let (code, said) = ended(within(folder.path(), &["--data", "new", flag])).await;
        assert_eq!(code, Some(2), "{flag}: {said}");
        assert!(said.contains(told) && said.trim_end().lines().count() == 1, "{flag}: {said}");
        assert!(said.starts_with("annals-event-store: ") && !said.contains("hunter2"), "{flag}: {said}");
    }
    let (code, said) = ended(within(folder.path(), &["--listen", "127.0.0.1:0"])).await;
    assert!(code == Some(2) && said.contains("data is missing; set it in annals.toml"), "{said}");
    let (code, said) = ended(within(folder.path(), &["backup", "--data", "new"])).await;
    assert!(code == Some(2) && said.contains("--to DIR is missing"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a wrong configuration made something");
}

#[tokio::test]
async fn help_and_version_are_told_whatever_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("annals.toml"), "nonsense").unwrap();
    for arguments in [&["--help"][..], &["verify", "--help"]] {
        let (code, help) = ended(within(folder.path(), arguments)).await;
        assert!(code == Some(0) && help.contains("--event_store.subscriptions"), "{help}");
        assert!(help.contains("--retain-days N") && !help.contains("read_models"), "{help}");
        assert!(help.contains("5 data folder held by another process"), "{help}");
    }
    let version = format!("annals-event-store {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ended(within(folder.path(), &["--version"])).await, (Some(0), version));
}

#[tokio::test]
async fn a_check_tries_the_address_and_the_folder_and_makes_nothing() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    let check = |data: &Path, listen: &str| {
        let mut check = command(data, listen);
        check.arg("--check");
        ended(check)
    };
    let new = other.path().join("new");
    let (code, said) = check(&new, "127.0.0.1:0").await;
    assert_eq!((code, said.as_str()), (Some(0), "the configuration can be used\n"));
    assert_eq!(check(&new, &program.listen()).await.0, Some(4));
    assert!(!new.exists(), "a check made a folder");
    let (code, said) = check(folder.path(), "127.0.0.1:0").await;
    assert!(code == Some(5) && said.contains(&program.url), "{said}");
}

#[tokio::test]
async fn metrics_tell_what_the_log_did_its_room_and_who_listens() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    let client = program.client().await;
    for _ in 0..3 {
        client.append(one_event("a")).await.unwrap();
    }
    let everything = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
    let mut subscription = client.subscribe(everything).await.unwrap();
    subscription.next().await.unwrap();
    let answer = reqwest::get(format!("{}/metrics", program.url)).await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = answer.text().await.unwrap();
    for line in [
        "annals_log_appends_total 3",
        "annals_log_events_total 3",
        "annals_log_first 1",
        "annals_log_head 3",
        "annals_log_segments 1",
        "annals_log_damages 0",
        "annals_subscriptions 1",
        "# TYPE annals_log_groups_total counter",
        "# TYPE annals_log_free_bytes gauge",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is missing in\n{text}");
    }
    let mut silent = command(other.path(), "127.0.0.1:0");
    silent.arg("--telemetry.metrics=false");
    let silent = Program::of(silent).await;
    assert_eq!(reqwest::get(format!("{}/metrics", silent.url)).await.unwrap().status().as_u16(), 404);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_with_130_and_lines_are_json_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = command(folder.path(), "127.0.0.1:0");
    asked.arg("--telemetry.log=json").env("RUST_LOG", "info").stderr(Stdio::piped());
    let mut program = Program::of(asked).await;
    let mut half = TcpStream::connect(program.listen()).await.unwrap();
    let head =
        b"POST /v1/backup HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
        expect: 100-continue\r\n\r\n";
    half.write_all(head).await.unwrap();
    half.read_exact(&mut [0; 12]).await.unwrap();
    let id = program.child.id().unwrap().to_string();
    let signal = async |name: &str| Command::new("kill").args([name, &id]).status().await.unwrap();
    assert!(signal("-TERM").await.success());
    // It takes no more connections once it was told to stop.
    while TcpStream::connect(program.listen()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(signal("-INT").await.success());
    let mut said = String::new();
    program.child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert_eq!(program.child.wait().await.unwrap().code(), Some(130), "{said}");
    let serving = said.lines().find(|line| line.contains("serving the log")).unwrap();
    let line: serde_json::Value = serde_json::from_str(serving).unwrap();
    assert_eq!(line["level"], "INFO", "{serving}");
}
