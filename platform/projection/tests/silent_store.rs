//! A worker whose store has fallen silent keeps nobody else from the read model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::ProjectorOptions;
use annals_store::{Call, Scene, Staged, Trouble};
use support::{PATIENCE, Running, World, append, fresh_fold, model, rows, sales};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_the_store_holds_no_lock_that_others_need() {
    for answers in 0..6 {
        let world = World::new();
        let running = world.start(&model()).await;
        let token = append(&world.store, &sales(20, 7)).await;
        running.handle.wait_for(token, PATIENCE).await.unwrap();

        // Answers so many questions for the head, and no more.
        let silent = Staged::over(world.store(), move |call, before| {
            let is_silent = call == Call::Head && before >= answers;
            if is_silent { Scene::before(Trouble::Silence) } else { Scene::PASS }
        });
        let options = ProjectorOptions::new(world.catalog().await, model(), silent.store());
        let other = tokio::spawn(async { Running::start(options).await });
        silent.arrived().await;
        // Where the other one got as far as to fold, this one gives way to it.
        let generations = world.generations(&model()).await;
        let live = generations.live().await.unwrap().generation;
        let before = generations.status(live).await.unwrap();
        let id = annals_projection::GenerationId::generate();
        generations.create(id, annals_projection::Origin::Empty).await.unwrap();
        generations.retire(id).await.unwrap();
        if before.epoch == 1 {
            let token = append(&world.store, &sales(20, 7)).await;
            let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
            assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model()).await);
        }
        other.abort();
        running.stop().await;
    }
}
