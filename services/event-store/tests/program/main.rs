//! The program itself: real processes, real signals, real folders.
//!
//! These tests have their own binary: a process that is being started holds copies of its parent's sockets for a moment,
//! and the other tests bind the addresses of theirs again at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[allow(dead_code, reason = "a part of it is for servers within the test's process")]
#[path = "../network/support.rs"]
mod support;

mod backups;
mod configuration;
mod damage;
mod folder;
mod memory;
mod room;

use annals_event::Sequence;
use annals_service::Exit;
use annals_store::{AppendError, EventStore, Filter, ReadError, ReadLog, ReadStream, Subscribe};
use annals_store_grpc::GrpcStore;
use annals_store_log::LogStore;
use annals_tests::{lasting_address, settings};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Output, Stdio},
};
use support::{one_event, stream};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_util::task::TaskTracker;

const PROGRAM: &str = env!("CARGO_BIN_EXE_annals-event-store");

/// How long a test waits before it fails.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

struct Program {
    child: Child,
    url: String,
}

impl Program {
    async fn start(data: &Path, listen: &str) -> Self {
        Self::of(command(data, listen)).await
    }

    async fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("the program ended before it served");
        let url = line.strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    async fn client(&self) -> GrpcStore {
        // With more time for a call than it needs on a busy machine.
        let options = annals_store_grpc::Options { call_time_max: PATIENCE, ..Default::default() };
        GrpcStore::connect(&self.url, options).await.unwrap()
    }

    fn listen(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// kill -9.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    async fn signal(mut self, name: &str) -> bool {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
        self.child.wait().await.unwrap().success()
    }
}

/// Without the environment of whoever runs the tests.
fn without_settings(mut command: Command) -> Command {
    for name in settings() {
        command.env_remove(name);
    }
    command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
    command
}

fn command(data: &Path, listen: &str) -> Command {
    let mut command = without_settings(Command::new(PROGRAM));
    command.arg("--data").arg(data).args(["--listen", listen]).env("RUST_LOG", "error");
    command
}

/// What it says when it ends by itself with this exit code.
async fn fails(exit: Exit, data: &Path, listen: &str) -> String {
    let Output { status, stderr, .. } = command(data, listen).output().await.unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(i32::from(exit.code())), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    stderr
}

#[tokio::test]
async fn a_signal_ends_it_in_order_and_a_restart_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for (round, name) in (1_u64..).zip(["-INT", "-TERM"]) {
        let program = Program::start(folder.path(), "127.0.0.1:0").await;
        let client = program.client().await;
        let receipt = client.append(one_event("a")).await.unwrap();
        assert_eq!(receipt.head, Sequence::new(round));
        let mut open =
            client.subscribe(Subscribe { from: Sequence::FIRST, filter: Filter::all() }).await.unwrap();
        open.next().await.unwrap();
        assert!(program.signal(name).await, "{name}");
    }
}

#[tokio::test]
async fn a_folder_in_use_and_a_port_in_use_are_one_clear_sentence_each() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    let sentence = fails(Exit::FolderHeld, folder.path(), "127.0.0.1:0").await;
    let holder = format!("is in use by process {} at {}", program.child.id().unwrap(), program.url);
    assert!(sentence.contains(&holder), "{sentence}");
    let sentence = fails(Exit::AddressInUse, other.path(), &program.listen()).await;
    let expected = format!("{} is in use by another process", program.listen());
    assert!(sentence.contains(&expected), "{sentence}");
    assert_eq!(sentence.matches("in use").count(), 1, "{sentence}");
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0, "a log was made for a port that is not free");
}

#[tokio::test]
async fn a_name_in_place_of_an_address_is_refused_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = command(folder.path(), "localhost:8080").output().await.unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(2) && stderr.contains("such as 127.0.0.1:8080"), "{stderr}");
}

#[tokio::test]
async fn a_folder_of_something_else_is_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.odt"), "precious").unwrap();
    let sentence = fails(Exit::Store, folder.path(), "127.0.0.1:0").await;
    assert!(sentence.contains("is not a log"), "{sentence}");
    let file = folder.path().join("thesis.odt");
    let sentence = fails(Exit::Store, &file, "127.0.0.1:0").await;
    assert!(sentence.starts_with("annals-event-store: ") && sentence.contains("is a file"), "{sentence}");
}

#[tokio::test]
async fn retention_drops_the_oldest_events_and_tells_clients_the_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let small_segments = annals_store_log::Options::with_segment_bytes(4 << 10);
    let store = LogStore::open(folder.path(), small_segments).await.unwrap();
    for _ in 0..100 {
        store.append(one_event("a")).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);

    let mut asked = command(folder.path(), "127.0.0.1:0");
    asked.args(["--retain-bytes", "1", "--retain-days", "7"]);
    let program = Program::of(asked).await;
    let client = program.client().await;
    let mut first = Sequence::FIRST;
    while first == Sequence::FIRST {
        first = client.head().await.unwrap().first;
    }
    let requested = Sequence::FIRST;
    let below = client.read_log(ReadLog::from(requested)).await;
    assert_eq!(below, Err(ReadError::BelowStart { requested, first }));
    assert!(program.signal("-TERM").await);
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    assert_eq!(program.client().await.head().await.unwrap().first, first);
}

#[tokio::test]
async fn a_damaged_log_is_reported_in_one_sentence_and_read_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    let client = program.client().await;
    for _ in 0..200 {
        client.append(one_event("a")).await.unwrap();
    }
    assert!(program.signal("-TERM").await);
    damage(folder.path());
    let sentence = fails(Exit::Store, folder.path(), "127.0.0.1:0").await;
    assert!(sentence.contains("damaged"), "{sentence}");
    assert!(sentence.contains(&folder.path().display().to_string()), "{sentence}");

    let mut asked = command(folder.path(), "127.0.0.1:0");
    asked.arg("--serve-damaged");
    let program = Program::of(asked).await;
    let client = program.client().await;
    let page = client.read_log(ReadLog { events_max: 10, ..ReadLog::from(Sequence::FIRST) }).await.unwrap();
    assert_eq!(page.events.len(), 10);
    let refused = client.append(one_event("a")).await.unwrap_err();
    assert!(matches!(&refused, AppendError::Corrupted(_)), "{refused}");
}

async fn offline(arguments: &[&str]) -> (bool, String, String) {
    let output = without_settings(Command::new(PROGRAM)).args(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_log_is_verified_and_each_damage_is_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    let client = program.client().await;
    for _ in 0..200 {
        client.append(one_event("a")).await.unwrap();
    }
    let (verified, _, stderr) = offline(&["verify", "--data", data]).await;
    assert!(!verified && stderr.contains(&format!("at {}", program.url)), "{stderr}");
    assert!(program.signal("-TERM").await);
    let (verified, stdout, stderr) = offline(&["verify", "--data", data]).await;
    assert!(verified && stdout.contains("200 events in 1 segment\n"), "{stdout}{stderr}");
    assert!(stderr.contains("100% verified"), "{stderr}");
    damage(folder.path());
    let (verified, stdout, stderr) = offline(&["verify", "--data", data]).await;
    assert!(!verified && stderr.contains("is damaged in 1 place\n"), "{stderr}");
    assert!(stdout.contains("0000000001.segment is damaged at byte"), "{stdout}");
}

#[tokio::test]
async fn a_backup_is_asked_for_with_an_empty_object_and_nothing_else() {
    let (folder, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut with_backups = command(folder.path(), "127.0.0.1:0");
    with_backups.arg("--backups").arg(backups.path());
    let program = Program::of(with_backups).await;
    let post = reqwest::Client::new().post(format!("{}/v1/backup", program.url));
    let typed = |content_type: &str| post.try_clone().unwrap().header("content-type", content_type);
    for (request, body, status) in [
        (typed("application/json"), "[]", 422),
        (typed("application/json"), r#"{"to":"/"}"#, 422),
        (typed("application/json"), "{", 400),
        (typed("text/plain"), "{}", 415),
        (typed("application/json"), &" ".repeat(20_000), 413),
    ] {
        let answer = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{body:.10}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{body:.10}");
    }
    assert_eq!(fs::read_dir(backups.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn slow_bodies_are_let_go_and_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut impatient = command(folder.path(), "127.0.0.1:0");
    impatient.args(["--connections-max", "4", "--request-ms-max", "300"]);
    let program = Program::of(impatient).await;
    let slow = async || {
        let mut connection = TcpStream::connect(program.listen()).await.unwrap();
        let begun = b"POST /v1/backup HTTP/1.1\r\nhost: log\r\ncontent-type: application/json\r\n\
            content-length: 2\r\n\r\n{";
        connection.write_all(begun).await.unwrap();
        let mut answer = String::new();
        // Ends when the server closes.
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answers =
        tokio::time::timeout(PATIENCE, async { tokio::join!(slow(), slow(), slow(), slow(), slow()) });
    let answers = answers.await.expect("slow bodies hold the server");
    for answer in [answers.0, answers.1, answers.2, answers.3, answers.4] {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    program.client().await.append(one_event("a")).await.unwrap();
}

/// Changes one byte in the middle of the events of the largest file that has some.
fn damage(folder: &Path) {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let with_events =
        files.filter(|path| path.is_file()).max_by_key(|path| fs::metadata(path).unwrap().len());
    let path = with_events.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let needle = b"happened";
    let found: Vec<_> = bytes.windows(needle.len()).enumerate().filter(|(_, at)| at == needle).collect();
    let at = found[found.len() / 2].0;
    bytes[at] ^= 1;
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_loses_nothing_and_doubles_nothing() {
    const KILLS: u64 = 12;
    const WRITERS: usize = 8;
    const APPENDS_A_WRITER: usize = 120;
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path(), &lasting_address().to_string()).await;
    let client = program.client().await;
    let all = WRITERS * APPENDS_A_WRITER;

    let writers = TaskTracker::new();
    for writer in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move {
            for _ in 0..APPENDS_A_WRITER {
                client.append(one_event(&format!("writer-{writer}"))).await.unwrap();
            }
        });
    }
    writers.close();
    let everything = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
    let mut subscription = client.subscribe(everything).await.unwrap();
    let mut seen = Vec::new();
    let share = all / (usize::try_from(KILLS).unwrap() + 1);
    while seen.len() < all {
        let before = seen.len() / share;
        let delivery = subscription.next().await.unwrap();
        seen.extend(delivery.events.iter().map(|event| event.sequence().get()));
        // Each time another share was seen, the server dies in the middle of what comes next.
        if seen.len() / share > before && seen.len() < all {
            let listen = program.listen();
            program.kill().await;
            program = Program::start(folder.path(), &listen).await;
        }
    }
    writers.wait().await;
    assert_eq!(seen, (1..=u64::try_from(all).unwrap()).collect::<Vec<_>>());
    for writer in 0..WRITERS {
        let read = ReadStream::forward(stream(&format!("writer-{writer}")));
        assert_eq!(client.read_stream(read).await.unwrap().events.len(), APPENDS_A_WRITER);
    }
}
