//! A service that names its store by URL.

use crate::support::{Server, one_event};
use annals_service::{Config, store};
use annals_store::GappedStore;
use annals_tests::lasting_address;
use std::{pin::pin, sync::Arc, time::Duration};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_not_there_yet_is_waited_for() {
    let address = lasting_address();
    let config = Config::from_toml(&format!("store.url = 'http://{address}'")).unwrap();
    let mut opening = pin!(store::open(&config.store, &config.log));
    let opened = tokio::time::timeout(Duration::from_millis(200), &mut opening).await;
    assert!(opened.is_err(), "nobody serves yet: {opened:?}");
    let server = Server::start_at(address, Arc::new(GappedStore::new())).await;
    let store = opening.await.unwrap();
    store.events().append(one_event("a")).await.unwrap();
    assert!(store.log().is_none());
    store.close().await.unwrap();
    server.stop().await;
}
