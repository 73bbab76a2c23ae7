//! Catalogs: their format, their names, several in one database, and what is done behind the platform's back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::backend::{Change, DatabaseError, Purpose, Target};
use annals_projection_postgres::connect;
use sqlx::Executor;
use std::time::{Duration, Instant};
use support::{
    database,
    item::{claim, count, count_of, first_live, fold, make, slot, spec},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_of_another_release_is_refused_and_left_as_it_is() {
    let Some(database) = database().await else { return };
    drop(database.open().await.unwrap());
    database.execute("UPDATE annals.catalog SET format = 2").await;
    let refused = database.open().await.err();
    let due = DatabaseError::Format { place: "the catalog in schema annals".into(), found: 2, known: 1 };
    assert_eq!(refused, Some(due));
    assert_eq!(database.text("SELECT format::text FROM annals.catalog").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_of_another_format_is_refused() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let live = first_live(&*on).await;
    database.execute("UPDATE annals.generation SET format = 2").await;
    let refusals =
        [on.fence(&slot(), live.generation).await.err(), on.view(&slot(), Target::Live).await.err()];
    for refused in refusals {
        assert!(matches!(refused, Some(DatabaseError::Format { found: 2, .. })), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_catalogs_in_one_database_share_nothing() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let mut options = database.options();
    options.schema = "other".into();
    let other = connect(&options).await.unwrap();
    let spec = spec(Purpose::Live);
    for handle in [&on, &other] {
        handle.create(&spec).await.unwrap().unwrap().finish().await.unwrap();
    }
    fold(&mut claim(&*on, spec.id).await.unwrap(), 3).await.unwrap();
    fold(&mut claim(&*other, spec.id).await.unwrap(), 5).await.unwrap();
    assert_eq!((count_of(&*on, spec.id).await, count_of(&*other, spec.id).await), (3, 5));
    on.remove(&slot(), spec.id).await.unwrap();
    assert_eq!(count_of(&*other, spec.id).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_somebody_dropped_is_noticed() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let live = first_live(&*on).await;
    let found = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'annals\\_g\\_%'";
    let schema = database.text(found).await;
    database.execute(&format!("DROP SCHEMA {schema} CASCADE")).await;
    assert_eq!(on.instance(&slot(), live.generation).await.unwrap(), None);
    let refused = on.view(&slot(), Target::Live).await.err();
    assert!(matches!(refused, Some(DatabaseError::Damaged { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_is_read_is_not_removed_and_holds_no_reader_up() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let live = first_live(&*on).await;
    fold(&mut claim(&*on, live.generation).await.unwrap(), 3).await.unwrap();
    let old = make(&*on, Purpose::Live).await;
    let mut reader = on.view(&slot(), Target::Generation(old)).await.unwrap();
    count(&mut reader).await;
    let begun = Instant::now();
    let refused = on.remove(&slot(), old).await;
    assert!(matches!(refused, Err(DatabaseError::Busy { .. })), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "it gives up soon: {:?}", begun.elapsed());
    assert_eq!(count_of(&*on, old).await, 0, "nothing was removed");
    drop(reader);
    // The reader's connection goes back a moment later.
    while let Err(DatabaseError::Busy { .. }) = on.remove(&slot(), old).await {}
    assert_eq!(on.instance(&slot(), old).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_live_is_not_removed() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let live = first_live(&*on).await;
    let refused = on.remove(&slot(), live.generation).await;
    assert!(matches!(refused, Err(DatabaseError::Denied { .. })), "{refused:?}");
    assert_eq!(count_of(&*on, live.generation).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_build_leaves_no_schema_and_can_be_made_again() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let spec = spec(Purpose::Live);
    let build = on.create(&spec).await.unwrap().unwrap();
    database.end_all_sessions().await;
    assert!(build.finish().await.is_err());
    let schemas = "SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'annals\\_%'";
    assert_eq!(database.text(schemas).await, "0");
    let on = database.open().await.unwrap();
    on.create(&spec).await.unwrap().unwrap().finish().await.unwrap();
    assert_eq!(count_of(&*on, spec.id).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scratch_generations_that_a_crash_left_go_within_a_day() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let left = make(&*on, Purpose::Scratch).await;
    let young = make(&*on, Purpose::Scratch).await;
    let age =
        format!("UPDATE annals.generation SET created_at = now() - interval '25 hours' WHERE id = '{left}'");
    database.execute(&age).await;
    make(&*on, Purpose::Scratch).await;
    assert_eq!(on.instance(&slot(), left).await.unwrap(), None);
    assert!(on.instance(&slot(), young).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_encoding_is_refused() {
    let Some(database) = database().await else { return };
    let mut admin = database.connection().await;
    let name = format!("latin_{}", uuid::Uuid::now_v7().simple());
    let create = format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    );
    admin.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
    let mut options = database.options();
    options.url = support::with_database(database.url(), &name);
    let refused = connect(&options).await.err();
    assert!(matches!(refused, Some(DatabaseError::Denied { .. })), "{refused:?}");
    admin.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flip_and_a_retirement_in_one_change_are_whole() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let live = first_live(&*on).await;
    let next = make(&*on, Purpose::Candidate).await;
    let to = annals_projection::backend::Live { generation: next, previous: None, epoch: 2 };
    let change = Change { slot: slot(), expect: Some(live), set: Some(to), retire: vec![live.generation] };
    on.fence(&slot(), live.generation).await.unwrap().flip(&change).await.unwrap();
    assert_eq!(on.live(&slot()).await.unwrap(), Some(to));
    on.remove(&slot(), live.generation).await.unwrap();
}
