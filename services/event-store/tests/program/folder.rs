//! When the log's folder is deleted, replaced or made read-only, the program keeps running, refuses appends, and says why.

use crate::{Program, command, support::one_event};
use annals_event::Sequence;
use annals_store::{AppendError, EventStore, ReadLog};
use annals_store_grpc::GrpcStore;
use annals_wire::v1::{SubscribeRequest, event_store_client::EventStoreClient};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tonic::{Code, Status, transport::Endpoint};

/// The user and group that by convention own no files.
const NOBODY: u32 = 65_534;

/// How a subscription at the head ends.
async fn end_of_subscription(program: &Program) -> Status {
    let channel = Endpoint::new(program.url.clone()).unwrap().connect().await.unwrap();
    let mut client = EventStoreClient::new(channel);
    let request = SubscribeRequest { from: 1, ..SubscribeRequest::default() };
    let mut messages = client.subscribe(request).await.unwrap().into_inner();
    loop {
        if let Err(status) = messages.message().await {
            return status;
        }
    }
}

/// The answer to a health check.
async fn health(program: &Program) -> (u16, serde_json::Value) {
    let answer = reqwest::get(format!("{}/health/ready", program.url)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A client that does not retry, so that it sees each refusal.
async fn impatient(program: &Program) -> GrpcStore {
    let options = annals_store_grpc::Options {
        retry_time_max: Duration::ZERO,
        ..annals_store_grpc::Options::default()
    };
    GrpcStore::connect(&program.url, options).await.unwrap()
}

/// A program that serves a log with one event.
async fn serve(data: &Path) -> Program {
    let program = Program::start(data, "127.0.0.1:0").await;
    program.client().await.append(one_event("a")).await.unwrap();
    assert_eq!(health(&program).await.0, 200);
    program
}

/// The subscriber gets the reason first; then health checks and appends get the same one.
async fn must_be_told(program: &Program, due: &str) {
    let end = end_of_subscription(program).await;
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert!(end.message().contains(due), "{end}");
    let (status, body) = health(program).await;
    assert_eq!(status, 503, "{body}");
    assert!(body["detail"].as_str().unwrap().contains(due), "{body}");
    let client = impatient(program).await;
    let not_ready = client.ready().await.unwrap_err().to_string();
    assert!(not_ready.contains(due), "{not_ready}");
    assert_eq!(not_ready.matches("unavailable").count(), 1, "{not_ready}");
    let refused = client.append(one_event("a")).await.unwrap_err();
    assert!(matches!(&refused, AppendError::Unavailable { reason } if reason.contains(due)), "{refused}");
    let page = client.read_log(ReadLog::from(Sequence::FIRST)).await.unwrap();
    assert_eq!(page.events.len(), 1, "reads go on");
    let stats = reqwest::get(format!("{}/v1/stats", program.url)).await.unwrap();
    let stats: serde_json::Value = stats.json().await.unwrap();
    assert!(stats["stopped"].as_str().unwrap().contains(due), "{stats}");
}

#[tokio::test]
async fn a_folder_that_is_deleted_under_the_program_is_told_to_everyone() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("log");
    let program = serve(&data).await;
    fs::remove_dir_all(&data).unwrap();
    must_be_told(&program, "was deleted or moved away").await;
    assert!(!data.exists(), "the folder must not be made again");
    assert!(program.signal("-TERM").await);
    assert!(!data.exists());
}

#[tokio::test]
async fn a_folder_that_is_replaced_by_a_restored_one_is_served_after_a_restart() {
    let parent = tempfile::tempdir().unwrap();
    let (data, restored) = (parent.path().join("log"), parent.path().join("restored"));
    let program = serve(&restored).await;
    assert!(program.signal("-TERM").await);
    let program = serve(&data).await;
    fs::rename(&data, parent.path().join("before")).unwrap();
    fs::rename(&restored, &data).unwrap();
    must_be_told(&program, "was replaced by another folder").await;
    assert!(program.signal("-TERM").await);
    let program = Program::start(&data, "127.0.0.1:0").await;
    assert_eq!(health(&program).await.0, 200);
    assert_eq!(program.client().await.append(one_event("a")).await.unwrap().head, Sequence::new(2));
}

#[tokio::test]
async fn a_folder_that_becomes_read_only_under_the_program_is_told_to_everyone() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("log");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut program = command(&data, "127.0.0.1:0");
    // Root may write even to a read-only folder, so the program does not run as root.
    if std::os::unix::fs::chown(&data, Some(NOBODY), Some(NOBODY)).is_ok() {
        program.uid(NOBODY).gid(NOBODY);
    }
    let program = Program::of(program).await;
    program.client().await.append(one_event("a")).await.unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).unwrap();
    must_be_told(&program, "cannot be written any more").await;
    assert!(program.signal("-TERM").await);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
}
