//! What is left of a step in whose middle the store failed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{GenerationId, Generations, Origin, Projector, ProjectorOptions};
use annals_store::{Call, EventStore, Scene, Staged, Trouble};
use std::sync::Arc;
use support::{PATIENCE, World, append, model, sales};

/// Answers the first questions for the head, and fails at all others.
fn failing_store(world: &World, answers: usize, trouble: Trouble) -> Arc<dyn EventStore> {
    let staged = Staged::over(world.store(), move |call, before| {
        if call == Call::Head && before >= answers { Scene::before(trouble) } else { Scene::PASS }
    });
    staged.store()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_leaves_no_generation_in_the_catalog() {
    let world = World::new();
    let store = failing_store(&world, 0, Trouble::Failure);
    for _ in 0..3 {
        let options = ProjectorOptions::new(world.catalog().await, model(), store.clone());
        assert!(Projector::open(options).await.is_err());
    }
    let left = world.generations(&model()).await.list().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

/// The same read model, whose store fails for good after some answers.
async fn failing(world: &World, answers: usize) -> Generations {
    let store = failing_store(world, answers, Trouble::Damage);
    Generations::new(world.catalog().await, model(), store)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_that_the_pointer_did_not_move_whenever_it_comes() {
    let world = World::new();
    let running = world.start(&model()).await;
    let token = append(&world.store, &sales(100, 7)).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    running.stop().await;
    let sound = world.generations(&model()).await;
    let (old, id) = (sound.live().await.unwrap().generation, GenerationId::generate());
    sound.create(id, Origin::Empty).await.unwrap();
    for (to, from) in [(id, old), (old, id)] {
        let mut answers = 0;
        loop {
            let failing = failing(&world, answers).await;
            let moved = if to == id {
                failing.promote(to).await.map(|_| ())
            } else {
                failing.roll_back(to).await.map(|_| ())
            };
            let live = sound.live().await.unwrap().generation;
            assert_eq!(live, if moved.is_ok() { to } else { from }, "after {answers} answers: {moved:?}");
            if moved.is_ok() {
                break;
            }
            answers += 1;
        }
        assert!(answers > 0, "the store is asked");
    }
}
