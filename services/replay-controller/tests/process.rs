//! The controller as a process: what it is configured with, and what it ends with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_event_store::{Options, Service};
use annals_store::GappedStore;
use annals_tests::{Program, Server};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The program in this folder, without the environment of whoever runs the tests.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Program::at(env!("CARGO_BIN_EXE_annals-replay-controller")).command(arguments);
    command.current_dir(folder).env_remove("RUST_LOG").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
    command
}

/// What it ends with by itself, and everything that it said.
fn ended(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), said.concat())
}

/// A store that another process could serve, and its address.
async fn store() -> (String, DropGuard) {
    let service = Service::bind(Options::loopback(), Arc::new(GappedStore::new())).await.unwrap();
    let (url, stop) = (format!("http://{}", service.address()), CancellationToken::new());
    tokio::spawn(service.run(stop.clone()));
    (url, stop.drop_guard())
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = "listen = '127.0.0.1:1'\nstore.url = 'http://file:1'\nhttp.request = '7s'";
    fs::write(folder.path().join("annals.toml"), file).unwrap();
    let mut print = command(folder.path(), &["--print-config", "--listen", "127.0.0.1:3"]);
    print.env("ANNALS_STORE", "http://variable:2").env("ANNALS_LISTEN", "127.0.0.1:2");
    let (code, said) = ended(print);
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<_> =
        said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "listen = \"127.0.0.1:3\" # --listen",
        "store.url = \"http://variable:2\" # ANNALS_STORE",
        "http.request = \"7s\" # annals.toml",
        "http.shutdown = \"5s\" # default",
    ] {
        assert!(lines.iter().any(|told| told == line), "{line} is missing in\n{said}");
    }
    assert!(!said.contains("read_models") && !said.contains("data ="), "it has none: {said}");
}

#[test]
fn a_wrong_configuration_ends_it_with_2_and_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, told) in [
        ("--http.reqest=5s", "did you mean http.request?"),
        ("--http.request=5", "5 has no unit"),
        ("--data=x", "there is no such key"),
        ("--mail.url=x", "there is no such key"),
        ("--store=memory:", "write http://HOST:PORT"),
        ("--store=http://shop:hunter2@events:7400", "http://***@events:7400"),
        ("--store=ftp://shop:hunter2@events", "no event store has the scheme"),
        ("--listen=localhost:7401", "such as 127.0.0.1:"),
    ] {
        let (code, said) = ended(command(folder.path(), &[flag]));
        assert_eq!(code, Some(2), "{flag}: {said}");
        assert!(said.starts_with("annals-replay-controller: ") && said.contains(told), "{flag}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn help_and_version_are_told_whatever_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("annals.toml"), "nonsense").unwrap();
    let (code, help) = ended(command(folder.path(), &["--help"]));
    assert!(code == Some(0) && help.contains("[http://127.0.0.1:7400]"), "{help}");
    assert!(help.contains("--telemetry.log") && !help.contains("--log.reserve"), "{help}");
    let version = format!("annals-replay-controller {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ended(command(folder.path(), &["--version"])), (Some(0), version));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_4_and_a_store_that_is_away_3_when_checked() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = ended(command(folder.path(), &["--listen", &address]));
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(&format!("{address} is in use by another process")), "{said}");

    let (url, _store) = store().await;
    let (code, said) =
        ended(command(folder.path(), &["--check", "--listen", "127.0.0.1:0", "--store", &url]));
    assert!(code == Some(0) && said.contains("the configuration can be used"), "{said}");
    let silent = format!("http://{address}");
    let (code, said) =
        ended(command(folder.path(), &["--check", "--listen", "127.0.0.1:0", "--store", &silent]));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&format!("the event store at {silent} does not answer")), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it stores nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_with_130_and_lines_are_json_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _store) = store().await;
    let flags = ["--listen", "127.0.0.1:0", "--store", &url, "--telemetry.log=json"];
    let mut server = Server::start(command(folder.path(), &flags)).unwrap();
    let address = server.line("listening on http://").unwrap();
    let mut half = TcpStream::connect(&address).unwrap();
    let head = "POST /replays HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\
        expect: 100-continue\r\n\r\n";
    half.write_all(head.as_bytes()).unwrap();
    half.read_exact(&mut [0; 12]).unwrap();
    server.signal("TERM").unwrap();
    // It takes no more connections once it was told to stop.
    while TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
    server.signal("INT").unwrap();
    let (status, said) = server.ended().unwrap();
    assert_eq!(status.code(), Some(130), "{said:?}");
    let ready = said.iter().find(|line| line.contains("the replay controller is ready")).unwrap();
    assert!(ready.starts_with('{'), "{ready}");
}
