//! A read model's folder, or a file in it, is deleted or replaced while it is served.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{GenerationId, ProjectorOptions};
use annals_store::{Activity, ConsumerState, EventStore};
use std::{fs, path::Path};
use support::{PATIENCE, Running, World, append, fresh_fold, model, rows, sales, state_of};

/// A read model with some rows in a folder of its own below the world's, and what is live of it.
async fn served(world: &World) -> (Running, GenerationId) {
    let catalog = annals_projection_sqlite::open(world.folder.path().join("views")).await.unwrap();
    let running = Running::start(ProjectorOptions::new(catalog, model(), world.store())).await;
    let token = append(&world.store, &sales(200, 7)).await;
    let live = running.handle.wait_for(token, PATIENCE).await.unwrap().generation();
    (running, live)
}

/// Checks that the projector says that the rows are gone, and that it makes them anew in a file that has a name.
async fn assert_built_anew(world: &World, running: &Running, lost: GenerationId) {
    let views = world.folder.path().join("views");
    let (head, mut told) = (world.store.head().await.unwrap().last, false);
    let is_anew = |state: &ConsumerState| {
        told |= matches!(state.activity, Activity::Retrying { .. }) || state.position < head;
        told && state.position == head && state.activity == Activity::Running
    };
    state_of(&running.handle, is_anew).await;
    let token = append(&world.store, &sales(20, 7)).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_ne!(reader.generation(), lost);
    assert!(views.join(format!("generations/till/{}.sqlite", reader.generation())).exists());
    assert_eq!(rows(&mut reader).await, fresh_fold(world, &model()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_whose_folder_is_deleted_while_it_is_served_is_built_anew() {
    let world = World::new();
    let (running, live) = served(&world).await;
    fs::remove_dir_all(world.folder.path().join("views")).unwrap();
    assert_built_anew(&world, &running, live).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_whose_file_alone_is_deleted_is_built_anew() {
    let world = World::new();
    let (running, live) = served(&world).await;
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("views/generations/till/{live}.sqlite{suffix}");
        fs::remove_file(world.folder.path().join(name)).unwrap();
    }
    assert_built_anew(&world, &running, live).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_whose_file_is_gone_at_the_start_is_built_anew() {
    let world = World::new();
    let (running, live) = served(&world).await;
    running.stop().await;
    fs::remove_file(world.folder.path().join(format!("views/generations/till/{live}.sqlite"))).unwrap();
    let catalog = annals_projection_sqlite::open(world.folder.path().join("views")).await.unwrap();
    let running = Running::start(ProjectorOptions::new(catalog, model(), world.store())).await;
    let head = world.store.head().await.unwrap().last;
    let mut reader = running.handle.wait_for(head, PATIENCE).await.unwrap();
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model()).await);
    drop(reader);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_replaced_by_an_older_copy_is_gone_on_with() {
    let world = World::new();
    let views = world.folder.path().join("views");
    let (running, live) = served(&world).await;
    running.stop().await;
    copy(&views, &world.folder.path().join("copy"));

    let catalog = annals_projection_sqlite::open(&views).await.unwrap();
    let running = Running::start(ProjectorOptions::new(catalog, model(), world.store())).await;
    let head = append(&world.store, &sales(100, 7)).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    fs::rename(&views, world.folder.path().join("away")).unwrap();
    fs::rename(world.folder.path().join("copy"), &views).unwrap();
    let token = append(&world.store, &sales(20, 7)).await;
    let in_place = views.join(format!("generations/till/{live}.sqlite-wal"));
    let written = async {
        while !fs::metadata(&in_place).is_ok_and(|wal| wal.len() > 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.expect("it is written under its name again");
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model()).await);
    drop(reader);
    running.stop().await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
