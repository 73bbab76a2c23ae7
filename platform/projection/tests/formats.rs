//! A file of another release's format is refused by both numbers, and not written. One without content is told as damaged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{GenerationError, Projector, ProjectorError, ReaderError, Readers};
use sqlx::{Connection, SqliteConnection};
use std::path::{Path, PathBuf};
use support::{PATIENCE, World, append, model, sales};

async fn change(file: &Path, statements: &[&'static str]) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn epoch(file: &Path) -> i64 {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let epoch = sqlx::query_scalar("SELECT epoch FROM annals_control").fetch_one(&mut connection).await;
    connection.close().await.unwrap();
    epoch.unwrap()
}

fn assert_names(error: &GenerationError, file: &str, found: i64) {
    let GenerationError::Format { found: named, known: 1, .. } = error else { panic!("{error}") };
    assert_eq!(*named, found);
    let text = format!("{file} has format {found}, and this release reads format 1;");
    assert!(error.to_string().starts_with(&text), "{error}");
}

/// A read model with rows, folded by nobody any more, and the live generation's file.
async fn deployed() -> (World, PathBuf) {
    let world = World::new();
    let running = world.start(&model()).await;
    let token = append(&world.store, &sales(20, 5)).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    running.stop().await;
    let live = world.generations(&model()).await.live().await.unwrap().generation;
    let file = world.folder.path().join(format!("generations/till/{live}.sqlite"));
    (world, file)
}

/// How the live generation is refused to whoever looks at it, folds it, reads it or copies it.
async fn refusals(world: &World) -> [GenerationError; 4] {
    let (options, generations) = (world.options(&model()).await, world.generations(&model()).await);
    let live = generations.live().await.unwrap().generation;
    let looked_at = generations.status(live).await.unwrap_err();
    let Err(ProjectorError::Generation(folded)) = Projector::open(options.clone()).await else {
        panic!("it was opened")
    };
    let read = Readers::new(options.catalog, options.model).reader().await.unwrap_err();
    let ReaderError::Generation(read) = read else { panic!("{read}") };
    [looked_at, folded, read, generations.take_snapshot().await.unwrap_err()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_of_a_higher_format_is_refused_by_both_numbers() {
    let (world, _) = deployed().await;
    let file = world.folder.path().join("catalog.sqlite");
    change(&file, &["PRAGMA user_version = 7"]).await;
    let error = annals_projection_sqlite::open(world.folder.path()).await.unwrap_err();
    assert_names(&error, &file.display().to_string(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_of_a_higher_format_is_refused_by_both_numbers() {
    let next: &[&str] = &["PRAGMA user_version = 2", "ALTER TABLE annals_control DROP COLUMN chain"];
    for changes in [&next[..1], next] {
        let (world, file) = deployed().await;
        change(&file, changes).await;
        let before = epoch(&file).await;
        for error in refusals(&world).await {
            assert_names(&error, &file.display().to_string(), 2);
        }
        assert_eq!(epoch(&file).await, before, "nobody took it over");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_without_content_is_damaged_and_of_no_other_release() {
    let (world, file) = deployed().await;
    change(&file, &["PRAGMA journal_mode = DELETE"]).await;
    std::fs::write(&file, []).unwrap();
    for error in refusals(&world).await {
        let start = format!("{} is damaged: it contains no generation;", file.display());
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}
