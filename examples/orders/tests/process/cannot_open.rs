//! What cannot be opened ends the process with 3, and is left as it is.

use crate::{command, start};
use annals_tests::Server;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Where a segment's header has its format, and its checksum.
const FORMAT_AT: usize = 8;
const CHECKSUM_AT: usize = 508;
/// Where SQLite keeps `PRAGMA user_version`.
const USER_VERSION_AT: usize = 60;

/// The data folder of a service that has an order and was stopped.
async fn used() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    let (server, url) = start(data.path());
    let order = json!({ "customer": "a-customer-by-name", "cents": 1 });
    let placed = Client::new().post(format!("{url}/orders/1")).json(&order).send().await.unwrap();
    assert_eq!(placed.status(), StatusCode::CREATED);
    server.stop().unwrap();
    data
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn segment(data: &Path) -> PathBuf {
    data.join("log/0000000001.segment")
}

fn catalog(data: &Path) -> PathBuf {
    data.join("read-models/catalog.sqlite")
}

/// Changes the catalog, and drops what was written to it last and stands beside it.
fn change_catalog(data: &Path, changes: impl FnOnce(&mut Vec<u8>)) {
    let _ = fs::remove_file(data.join("read-models/catalog.sqlite-wal"));
    change(&catalog(data), changes);
}

#[track_caller]
fn assert_cannot_open(data: &Path, file: &Path, said: &str) {
    let before = fs::read(file).unwrap();
    let variables = [("ANNALS_DATA", data.to_str().unwrap()), ("ANNALS_LISTEN", "127.0.0.1:0")];
    let (status, told) = Server::start(command(&variables)).unwrap().ended().unwrap();
    let told = told.join("\n");
    assert_eq!(status.code(), Some(3), "{told}");
    assert!(told.contains(said), "{told}");
    assert_eq!(fs::read(file).unwrap(), before, "it is left as it is");
}

#[tokio::test]
async fn a_damaged_log_is_not_opened() {
    let data = used().await;
    fs::remove_file(data.path().join("log/checkpoint")).unwrap();
    change(&segment(data.path()), |bytes| {
        let at = bytes.windows(18).position(|text| text == b"a-customer-by-name").unwrap();
        bytes[at] ^= 1;
    });
    assert_cannot_open(data.path(), &segment(data.path()), "restore it from a backup");
}

#[tokio::test]
async fn a_log_of_another_release_is_not_opened() {
    let data = used().await;
    change(&segment(data.path()), |bytes| {
        bytes[FORMAT_AT..FORMAT_AT + 4].copy_from_slice(&99_u32.to_le_bytes());
        let checksum = crc32c(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_le_bytes());
    });
    assert_cannot_open(data.path(), &segment(data.path()), "has format 99");
}

#[tokio::test]
async fn a_damaged_catalog_is_not_opened() {
    let data = used().await;
    change_catalog(data.path(), |bytes| bytes[..100].fill(b'?'));
    assert_cannot_open(data.path(), &catalog(data.path()), "the read models cannot be opened");
}

#[tokio::test]
async fn a_catalog_of_another_release_is_not_opened() {
    let data = used().await;
    change_catalog(data.path(), |bytes| {
        bytes[USER_VERSION_AT..USER_VERSION_AT + 4].copy_from_slice(&99_u32.to_be_bytes());
    });
    assert_cannot_open(data.path(), &catalog(data.path()), "has format 99");
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
    let add = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc));
    !bytes.iter().fold(u32::MAX, add)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_new_log_begins_beside_the_rows_of_one_that_is_gone() {
    let data = used().await;
    fs::rename(data.path().join("log"), data.path().join("moved")).unwrap();
    assert_cannot_open(
        data.path(),
        &catalog(data.path()),
        "is missing, and read models folded from one are in",
    );
    assert!(!data.path().join("log").exists());
    fs::rename(data.path().join("moved"), data.path().join("log")).unwrap();
    let (server, _) = start(data.path());
    server.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_log_lines_are_json_one_of_them_says_why_it_ended() {
    let data = used().await;
    change(&segment(data.path()), |bytes| bytes[FORMAT_AT] ^= 1);
    let data = data.path().to_str().unwrap();
    let own = [("ANNALS_DATA", data), ("ANNALS_LISTEN", "127.0.0.1:0"), ("ANNALS_TELEMETRY__LOG", "json")];
    let ended = command(&own).output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    let lines = String::from_utf8(ended.stderr).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.retain(|line| line["level"] == "ERROR");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0]["fields"]["message"].as_str().unwrap().contains(data), "{lines:?}");
}
