//! Connections that break, servers that end sessions, processes that stand still.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::backend::{Backend, DatabaseError, Purpose};
use annals_projection_postgres::{PostgresOptions, connect};
use std::{sync::Arc, time::Duration};
use support::{
    Commits, Proxy, TestDatabase, database,
    item::{ITEM, advance, claim, count_of, first_live, fold, make, none, rows, slot},
};

/// A session that stands idle for longer is ended.
const IDLE_MAX: Duration = Duration::from_millis(300);

async fn proxied(database: &TestDatabase) -> (Proxy, Arc<dyn Backend>) {
    let proxy = Proxy::before(database.url()).await;
    let on = connect(&PostgresOptions::new(proxy.url(database.url()))).await.unwrap();
    (proxy, on)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unknown_and_found_afterwards() {
    let Some(database) = database().await else { return };
    let (proxy, on) = proxied(&database).await;
    let id = make(&*on, Purpose::Candidate).await;
    let mut writer = claim(&*on, id).await.unwrap();
    fold(&mut writer, 1).await.unwrap();
    proxy.next(Commits::LoseAnswer);
    let lost = fold(&mut writer, 2).await;
    assert!(matches!(lost, Err(DatabaseError::Unknown { .. })), "{lost:?}");
    let tx = writer.begin().await.unwrap();
    assert_eq!(tx.status().checkpoint.get(), 2, "it was committed");
    drop(tx);
    fold(&mut writer, 3).await.unwrap();
    assert_eq!(count_of(&*on, id).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrives_is_unknown_and_done_again() {
    let Some(database) = database().await else { return };
    let (proxy, on) = proxied(&database).await;
    let id = make(&*on, Purpose::Candidate).await;
    let mut writer = claim(&*on, id).await.unwrap();
    proxy.next(Commits::LoseQuestion);
    let lost = fold(&mut writer, 2).await;
    assert!(matches!(lost, Err(DatabaseError::Unknown { .. })), "{lost:?}");
    fold(&mut writer, 2).await.unwrap();
    assert_eq!(count_of(&*on, id).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_between_two_batches_is_replaced() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let id = make(&*on, Purpose::Candidate).await;
    let mut writer = claim(&*on, id).await.unwrap();
    fold(&mut writer, 1).await.unwrap();
    database.end_all_sessions().await;
    fold(&mut writer, 2).await.unwrap();
    database.end_all_sessions().await;
    writer.finish(support::item::model().schema()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(count_of(&*on, id).await, 2, "readers' connections are replaced, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_within_a_batch_has_written_nothing() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let id = make(&*on, Purpose::Candidate).await;
    let mut writer = claim(&*on, id).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    tx.write(&ITEM, none(), rows(1..=5, 5)).await.unwrap();
    database.end_all_sessions().await;
    let refused = tx.commit(advance(5)).await;
    assert!(matches!(refused, Err(DatabaseError::Away { .. })), "{refused:?}");
    fold(&mut writer, 3).await.unwrap();
    assert_eq!(database.open().await.unwrap().live(&slot()).await.unwrap(), None);
    assert_eq!(count_of(&*database.open().await.unwrap(), id).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_of_a_process_that_stands_still_is_ended_by_the_server() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let mut options = database.options();
    options.writer_idle_max = IDLE_MAX;
    let still = connect(&options).await.unwrap();
    let live = first_live(&*on).await;
    let mut writer = claim(&*on, live.generation).await.unwrap();
    let fence = still.fence(&slot(), live.generation).await.unwrap();
    // The writer waits for longer than the fence may stand idle.
    fold(&mut writer, 1).await.unwrap();
    let refused = fence.claim().await.err();
    assert!(matches!(refused, Some(DatabaseError::Away { .. })), "{refused:?}");
    fold(&mut writer, 2).await.unwrap();
    assert_eq!(count_of(&*on, live.generation).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_process_that_stands_still_has_written_hold_nobody_up() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let mut options = database.options();
    options.writer_idle_max = IDLE_MAX;
    let still = connect(&options).await.unwrap();
    let id = make(&*on, Purpose::Live).await;
    let mut stopped = claim(&*still, id).await.unwrap();
    let mut tx = stopped.begin().await.unwrap();
    tx.write(&ITEM, none(), rows([1], 1)).await.unwrap();
    // It takes over, and waits for the rows that the other one holds.
    let mut writer = claim(&*on, id).await.unwrap();
    fold(&mut writer, 1).await.unwrap();
    let refused = tx.commit(advance(1)).await;
    assert!(matches!(refused, Err(DatabaseError::Away { .. })), "{refused:?}");
    let refused = fold(&mut stopped, 1).await;
    assert!(matches!(refused, Err(DatabaseError::Fenced { .. })), "{refused:?}");
    assert_eq!(count_of(&*on, id).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_away() {
    let nowhere = PostgresOptions::new("postgres://annals@127.0.0.1:1/nothing");
    let refused = connect(&nowhere).await.err();
    assert!(matches!(refused, Some(DatabaseError::Away { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_read_is_refused_without_its_password() {
    let secret = PostgresOptions::new("postgres://annals:s3cret@host:port/x");
    let Err(refused) = connect(&secret).await else { panic!("it is no URL") };
    assert!(!refused.to_string().contains("s3cret"), "{refused}");
}
