//! The store on which tests set the scene: without one it is like the store below, and each trouble is what it says.

#![allow(clippy::unwrap_used, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_store::{AppendError, Call, EventStore, GappedStore, ReadError, Scene, Staged, Trouble};
use futures::FutureExt;
use std::sync::Arc;

annals_store::conformance_tests!(async {
    Staged::over(Arc::new(GappedStore::new()), |_, _| Scene::PASS).store()
});

fn one() -> Append {
    let event = NewEvent::json(EventType::new("happened").unwrap(), "{}");
    Append::to(StreamName::new("thing-1").unwrap(), ExpectedVersion::Any, vec![event])
}

async fn appended(store: &GappedStore) -> bool {
    store.head().await.unwrap().last.get() > 0
}

#[tokio::test]
async fn what_comes_before_a_call_is_with_nothing_done_and_after_it_with_all() {
    for (scene, is_done) in [(Scene::before(Trouble::Failure), false), (Scene::after(Trouble::Failure), true)]
    {
        let below = GappedStore::new();
        let staged = Staged::over(Arc::new(below.clone()), move |_, _| scene);
        let refused = EventStore::append(&staged, one()).await;
        assert!(matches!(refused, Err(AppendError::Unavailable { .. })), "{refused:?}");
        assert_eq!(appended(&below).await, is_done);
    }
}

#[tokio::test]
async fn the_script_chooses_calls_by_kind_and_number_and_all_are_counted() {
    let staged = Staged::over(Arc::new(GappedStore::new()), |call, before| match (call, before) {
        (Call::Head, 1) => Scene::before(Trouble::OtherLog),
        _ => Scene::PASS,
    });
    EventStore::head(&staged).await.unwrap();
    EventStore::append(&staged, one()).await.unwrap();
    let refused = EventStore::head(&staged).await;
    assert!(matches!(refused, Err(ReadError::OtherLog { .. })), "{refused:?}");
    EventStore::head(&staged).await.unwrap();
    assert_eq!(staged.calls(), [Call::Head, Call::Append, Call::Head, Call::Head]);
}

#[tokio::test]
async fn a_held_caller_goes_on_when_released_and_silence_has_no_end() {
    let below = GappedStore::new();
    let staged = Staged::over(Arc::new(below.clone()), |call, _| match call {
        Call::Append => Scene::after(Trouble::Hold),
        _ => Scene::before(Trouble::Silence),
    });
    let mut held = Box::pin(EventStore::append(&staged, one()));
    assert!((&mut held).now_or_never().is_none());
    staged.arrived().await;
    assert!(appended(&below).await);
    staged.release(1);
    held.await.unwrap();
    assert!(EventStore::head(&staged).now_or_never().is_none());
    staged.arrived().await;
}
