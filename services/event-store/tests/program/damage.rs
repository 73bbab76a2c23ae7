//! The program does not serve a log with damage that opening finds; damage that opening does not find is named by its health.

use crate::{PATIENCE, Program, command, fails, support::one_event};
use annals_event::Sequence;
use annals_service::Exit;
use annals_store::{EventStore, ReadError, ReadLog};
use annals_store_log::{LogStore, Options};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

/// Makes a log of several small segments and changes one byte in the middle of the first.
async fn log_with_damage_in_a_sealed_segment(folder: &Path) {
    let log = LogStore::open(folder, Options::with_segment_bytes(8 << 10)).await.unwrap();
    for _ in 0..200 {
        log.append(one_event("a")).await.unwrap();
    }
    assert!(log.stats().segments >= 3);
    log.close().await.unwrap();
    let first = folder.join("0000000001.segment");
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(first, bytes).unwrap();
}

async fn health(program: &Program) -> (u16, Value) {
    let answer = reqwest::get(format!("{}/health", program.url)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn damage_in_a_sealed_segment_is_named_by_health_and_appends_go_on() {
    let folder = tempfile::tempdir().unwrap();
    log_with_damage_in_a_sealed_segment(folder.path()).await;
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    let found = async {
        loop {
            let (status, body) = health(&program).await;
            assert_eq!(status, 200, "{body}");
            if body["status"] == "damaged" {
                return body;
            }
            assert_eq!(body, json!({ "status": "ready" }));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let body = tokio::time::timeout(PATIENCE, found).await.expect("health never names the damage");
    let damage = body["damages"][0].as_str().unwrap();
    assert!(damage.contains("0000000001.segment") && damage.contains("at byte"), "{body}");
    let client = program.client().await;
    client.ready().await.unwrap();
    assert_eq!(client.append(one_event("a")).await.unwrap().head, Sequence::new(201));
    let damaged = client.read_log(ReadLog::from(Sequence::FIRST)).await;
    assert!(!matches!(damaged, Err(ReadError::Unavailable { .. })), "{damaged:?}");
    let last = client.read_log(ReadLog::from(Sequence::new(201))).await.unwrap();
    assert_eq!(last.events.len(), 1, "what is not damaged is read");
}

#[tokio::test]
async fn a_log_that_opens_as_damaged_is_served_when_asked_and_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    log_with_damage_in_a_sealed_segment(folder.path()).await;
    // Without a checkpoint, opening reads everything.
    fs::remove_file(folder.path().join("checkpoint")).unwrap();
    let refused = fails(Exit::Store, folder.path(), "127.0.0.1:0").await;
    assert!(refused.contains("0000000001.segment") && refused.contains("--serve-damaged"), "{refused}");
    let mut damaged = command(folder.path(), "127.0.0.1:0");
    damaged.arg("--serve-damaged");
    let program = Program::of(damaged).await;
    let (status, body) = health(&program).await;
    assert_eq!(status, 503, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("0000000001.segment"), "{body}");
    let not_ready = program.client().await.ready().await.unwrap_err().to_string();
    assert!(not_ready.contains("0000000001.segment"), "{not_ready}");
}
