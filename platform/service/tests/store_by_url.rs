//! Which store a configuration opens, and what keeps one from being opened.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_service::{Config, Exit, store};
use annals_store::EventStore;
use annals_store_log::{LogStore, Options};
use std::{fs, path::Path};

fn config(data: &Path, rest: &str) -> Config {
    Config::from_toml(&format!("data = {data:?}\n{rest}")).unwrap()
}

async fn open(config: &Config) -> Result<store::OpenStore, store::StoreError> {
    store::open(&config.store, &config.log).await
}

fn one_event() -> Append {
    let event = NewEvent::json(EventType::new("order.placed").unwrap(), b"{}".to_vec());
    Append::to(StreamName::new("order-1").unwrap(), ExpectedVersion::Any, vec![event])
}

#[tokio::test]
async fn without_a_url_it_is_the_log_in_the_data_folder() {
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path(), "log = { retain_age = '1d', scrub = '0 B/s' }");
    let store = open(&config).await.unwrap();
    store.events().append(one_event()).await.unwrap();
    assert!(data.path().join("log").is_dir());
    assert_eq!(store.log().unwrap().stats().events, 1);
    store.close().await.unwrap();
    let again = open(&config).await.unwrap();
    assert_eq!(again.events().head().await.unwrap().last.get(), 1);
    again.close().await.unwrap();
}

#[tokio::test]
async fn a_log_that_lies_in_the_data_folder_itself_is_recognised() {
    let data = tempfile::tempdir().unwrap();
    let log = LogStore::open(data.path(), Options::default()).await.unwrap();
    log.append(one_event()).await.unwrap();
    log.close().await.unwrap();
    let store = open(&config(data.path(), "")).await.unwrap();
    assert_eq!(store.events().head().await.unwrap().last.get(), 1);
    assert!(!data.path().join("log").exists());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_store_in_memory_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let store = open(&config(data.path(), "store.url = 'memory:'")).await.unwrap();
    store.events().append(one_event()).await.unwrap();
    assert!(store.log().is_none());
    store.close().await.unwrap();
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_log_that_somebody_has_open_is_refused_as_held() {
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path(), "");
    let store = open(&config).await.unwrap();
    let refused = open(&config).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::FolderHeld);
    assert!(refused.to_string().contains("is in use by another process"), "{refused}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_log_is_refused_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path(), "");
    let store = open(&config).await.unwrap();
    for _ in 0..3 {
        store.events().append(one_event()).await.unwrap();
    }
    store.close().await.unwrap();
    damage_first_segment(&data.path().join("log"));
    let refused = open(&config).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Store);
    assert!(refused.to_string().contains("restore"), "{refused}");
}

/// Turns around a byte in the middle of what was appended, and drops what spares reading it again.
fn damage_first_segment(log: &Path) {
    let files = fs::read_dir(log).unwrap().map(|file| file.unwrap().path());
    let (segments, rest): (Vec<_>, Vec<_>) =
        files.partition(|file| file.extension().is_some_and(|is| is == "segment"));
    fs::remove_file(log.join("checkpoint")).unwrap();
    let [segment] = segments.as_slice() else { panic!("{segments:?} beside {rest:?}") };
    let mut bytes = fs::read(segment).unwrap();
    let at = bytes.windows(12).position(|bytes| bytes == b"order.placed").unwrap();
    bytes[at] ^= 1;
    fs::write(segment, bytes).unwrap();
}
