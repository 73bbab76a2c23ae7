//! Other programs read what is live through views, whatever happens to generations meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{
    GenerationId,
    backend::{Backend, Change, DatabaseError, Live, Purpose},
};
use annals_projection_postgres::connect;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use support::{
    TestDatabase, database,
    item::{claim, first_live, fold, make, model, slot},
};

async fn with_views(database: &TestDatabase) -> Arc<dyn Backend> {
    let mut options = database.options();
    options.views = true;
    connect(&options).await.unwrap()
}

/// The view of the table, with its schema.
async fn view(database: &TestDatabase) -> String {
    database.text("SELECT string_agg(schemaname || '.' || viewname, ' ') FROM pg_views WHERE schemaname LIKE 'annals\\_v\\_items\\_%'").await
}

async fn count(connection: &mut PgConnection, view: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {view}")))
        .fetch_one(connection)
        .await
        .unwrap()
}

/// A candidate with so many rows.
async fn candidate(on: &dyn Backend, rows: u64) -> GenerationId {
    let id = make(on, Purpose::Candidate).await;
    let mut writer = claim(on, id).await.unwrap();
    fold(&mut writer, rows).await.unwrap();
    writer.finish(model().schema()).await.unwrap();
    id
}

/// Puts a generation in the place of what is live.
async fn promote(on: &dyn Backend, live: Live, to: GenerationId) -> Result<Live, DatabaseError> {
    let now = Live { generation: to, previous: Some(live.generation), epoch: live.epoch + 1 };
    let change = Change { slot: slot(), expect: Some(live), set: Some(now), retire: Vec::new() };
    on.fence(&slot(), live.generation).await?.flip(&change).await?;
    Ok(now)
}

/// A live generation with 3 rows.
async fn live_with_rows(on: &dyn Backend) -> Live {
    let live = first_live(on).await;
    fold(&mut claim(on, live.generation).await.unwrap(), 3).await.unwrap();
    live
}

/// The prepared statement `counted`.
async fn counted(session: &mut PgConnection) -> i64 {
    // What sqlx prepares itself has other names.
    let row = sqlx::raw_sql("EXECUTE counted").fetch_one(session).await.unwrap();
    row.try_get(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_open_when_something_else_becomes_live_go_on() {
    let Some(database) = database().await else { return };
    let on = with_views(&database).await;
    let live = live_with_rows(&*on).await;
    let view = view(&database).await;
    database.execute(&format!("CREATE VIEW mine AS SELECT id FROM {view}")).await;
    let mut prepared = database.connection().await;
    prepared.execute(AssertSqlSafe(format!("PREPARE counted AS SELECT count(*) FROM {view}"))).await.unwrap();
    assert_eq!(counted(&mut prepared).await, 3);
    let next = make(&*on, Purpose::Candidate).await;
    let (mut repeatable, mut committed) = (database.connection().await, database.connection().await);
    repeatable.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    committed.execute("BEGIN").await.unwrap();
    for session in [&mut repeatable, &mut committed] {
        assert_eq!(count(session, &view).await, 3);
    }
    // Both stay in their transactions, which are older than the candidate's rows and not than the candidate.
    let mut writer = claim(&*on, next).await.unwrap();
    fold(&mut writer, 5).await.unwrap();
    writer.finish(model().schema()).await.unwrap();
    promote(&*on, live, next).await.unwrap();
    assert_eq!(counted(&mut prepared).await, 5);
    assert_eq!(count(&mut committed, &view).await, 5);
    assert_eq!(count(&mut repeatable, &view).await, 3, "its snapshot is older than the promotion");
    assert_eq!(count(&mut database.connection().await, "mine").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_cannot_know_a_generation_holds_up_its_promotion_only() {
    let Some(database) = database().await else { return };
    let on = with_views(&database).await;
    let live = live_with_rows(&*on).await;
    let view = view(&database).await;
    let mut stays = database.connection().await;
    stays.execute("BEGIN").await.unwrap();
    assert_eq!(count(&mut stays, &view).await, 3);
    let next = candidate(&*on, 5).await;
    let refused = promote(&*on, live, next).await;
    assert!(matches!(refused, Err(DatabaseError::Busy { .. })), "{refused:?}");
    assert_eq!(count(&mut stays, &view).await, 3);
    assert_eq!(count(&mut database.connection().await, &view).await, 3);
    fold(&mut claim(&*on, live.generation).await.unwrap(), 4).await.unwrap();
    stays.execute("COMMIT").await.unwrap();
    promote(&*on, live, next).await.unwrap();
    assert_eq!(count(&mut stays, &view).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_an_empty_table_or_waits_while_generations_come_and_go() {
    let Some(database) = database().await else { return };
    let on = with_views(&database).await;
    let mut live = live_with_rows(&*on).await;
    let (view, stop) = (view(&database).await, Arc::new(AtomicBool::new(false)));
    let (mut session, ended, seen) = (database.connection().await, stop.clone(), view.clone());
    session.execute("SET lock_timeout = '150ms'").await.unwrap();
    let reading = tokio::spawn(async move {
        let mut last = 0;
        while !ended.load(Ordering::SeqCst) {
            let rows = count(&mut session, &seen).await;
            assert!(rows >= last.max(3), "{rows} rows after {last}");
            last = rows;
        }
        last
    });
    for rows in 4..10 {
        let old = live.generation;
        let next = candidate(&*on, rows).await;
        live = promote(&*on, live, next).await.unwrap();
        let settled = Live { previous: None, epoch: live.epoch + 1, ..live };
        let retire = Change { slot: slot(), expect: Some(live), set: Some(settled), retire: vec![old] };
        on.change(&retire).await.unwrap();
        while let Err(DatabaseError::Busy { .. }) = on.remove(&slot(), old).await {}
        live = settled;
    }
    stop.store(true, Ordering::SeqCst);
    reading.await.unwrap();
    assert_eq!(count(&mut database.connection().await, &view).await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_reads_only_the_tables_of_what_is_live() {
    let Some(database) = database().await else { return };
    let on = with_views(&database).await;
    live_with_rows(&*on).await;
    let other = candidate(&*on, 9).await;
    let view = view(&database).await;
    let mut session = database.connection().await;
    let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT * FROM {view}");
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_all(&mut session).await.unwrap();
    let scans = plan.iter().filter(|line| line.contains("Scan on item") && !line.contains("never executed"));
    assert_eq!(scans.count(), 1, "{plan:#?}");
    session.close().await.unwrap();
    on.remove(&slot(), other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stays_keeps_an_old_generation_and_nothing_else() {
    let Some(database) = database().await else { return };
    let on = with_views(&database).await;
    let live = live_with_rows(&*on).await;
    let view = view(&database).await;
    let next = candidate(&*on, 5).await;
    let mut stays = database.connection().await;
    stays.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    assert_eq!(count(&mut stays, &view).await, 3);
    let now = promote(&*on, live, next).await.unwrap();
    let settled = Live { previous: None, epoch: now.epoch + 1, ..now };
    let retire =
        Change { slot: slot(), expect: Some(now), set: Some(settled), retire: vec![live.generation] };
    on.change(&retire).await.unwrap();
    let refused = on.remove(&slot(), live.generation).await;
    assert!(matches!(refused, Err(DatabaseError::Busy { .. })), "{refused:?}");
    assert_eq!(count(&mut stays, &view).await, 3);
    stays.execute("COMMIT").await.unwrap();
    on.remove(&slot(), live.generation).await.unwrap();
    assert_eq!(count(&mut stays, &view).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_are_wanted_later_begin_with_the_next_promotion() {
    let Some(database) = database().await else { return };
    let without = database.open().await.unwrap();
    let live = live_with_rows(&*without).await;
    let on = with_views(&database).await;
    let next = candidate(&*on, 5).await;
    let views = "SELECT count(*)::text FROM pg_views WHERE schemaname LIKE 'annals\\_v\\_%'";
    assert_eq!(database.text(views).await, "0", "it would be empty");
    let live = promote(&*on, live, next).await.unwrap();
    let view = view(&database).await;
    let mut session = database.connection().await;
    assert_eq!(count(&mut session, &view).await, 5);
    // A process that does not want them keeps them right for those who do.
    let next = candidate(&*without, 7).await;
    promote(&*without, live, next).await.unwrap();
    assert_eq!(count(&mut session, &view).await, 7);
}
