//! A generation that is fenced stands still, until the fence is dropped, claimed or flipped.

use super::{
    Catalog,
    fixture::{
        LOCKED_OUT, STEPS_MAX, after, candidate, checkpoint_of, claim, dropped_after, first_live, fitting,
        fold, is_busy, live_view, make, open, patient_claim, patient_fence, patient_fold, pointing, slot,
        spec, status, view,
    },
    tables::schema,
};
use crate::backend::{Change, DatabaseError, GenerationState, Live, Purpose, Target};
use std::pin::pin;
use tokio::time::timeout;

pub async fn a_fence_that_is_dropped_changes_nothing(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    for through in 1..5 {
        fold(&mut writer, through).await.unwrap();
        let before = status(&on, id).await;
        let fence = other.fence(&slot(), id).await.unwrap();
        assert_eq!(fence.status().checkpoint.get(), through);
        drop(fence);
        assert_eq!(status(&on, id).await, before);
    }
    patient_fold(&mut writer, 5).await.unwrap();
    assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 5);
}

pub async fn a_fence_knows_what_was_committed_before_it(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    for through in 1..10 {
        fold(&mut writer, through).await.unwrap();
        let fence = other.fence(&slot(), id).await.unwrap();
        assert_eq!(fitting(fence.status()), through);
        assert_eq!(fence.status().model, slot().model.to_string());
        writer = fence.claim().await.unwrap();
        assert_eq!(writer.status().checkpoint.get(), through);
    }
}

pub async fn while_a_fence_is_held_the_writer_cannot_commit(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    fold(&mut writer, 1).await.unwrap();
    let fence = other.fence(&slot(), id).await.unwrap();
    {
        let mut folding = pin!(patient_fold(&mut writer, 2));
        let ended = timeout(LOCKED_OUT, folding.as_mut()).await;
        assert!(ended.is_err(), "a fence is held, and the writer ends with {ended:?}");
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 1, "reading goes on");
        drop(fence);
        folding.await.unwrap();
    }
    assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 2);
    fold(&mut writer, 3).await.unwrap();
}

pub async fn a_writer_that_waits_for_a_fence_is_told_within_a_bound(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    let fence = other.fence(&slot(), id).await.unwrap();
    is_busy(fold(&mut writer, 1)).await;
    drop(fence);
    patient_fold(&mut writer, 1).await.unwrap();
    assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 1);
}

pub async fn a_second_fence_is_busy_within_a_bound(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    let before = status(&on, id).await;
    let fence = on.fence(&slot(), id).await.unwrap();
    let (slot, slot_too) = (slot(), slot());
    tokio::join!(is_busy(on.fence(&slot, id)), is_busy(other.fence(&slot_too, id)));
    drop(fence);
    drop(patient_fence(&other, id).await);
    assert_eq!(status(&on, id).await, before);
}

pub async fn whoever_waits_for_a_fence_gets_it_when_it_is_dropped(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    let fence = on.fence(&slot(), id).await.unwrap();
    let mut waiting = pin!(patient_fence(&other, id));
    assert!(timeout(LOCKED_OUT, waiting.as_mut()).await.is_err(), "two hold a fence at once");
    drop(fence);
    let mut writer = waiting.await.claim().await.unwrap();
    fold(&mut writer, 1).await.unwrap();
}

pub async fn fences_of_two_generations_do_not_block_each_other(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    for by in [&on, &other] {
        let (a, b) = (candidate(&on).await, candidate(&on).await);
        let held = on.fence(&slot(), a).await.unwrap();
        let mut writer = by.fence(&slot(), b).await.unwrap().claim().await.unwrap();
        fold(&mut writer, 7).await.unwrap();
        writer.finish(&schema()).await.unwrap();
        assert_eq!(checkpoint_of(&mut view(by, b).await).await, 7);
        let third = make(by, &spec(Purpose::Candidate), Vec::new()).await;
        assert_eq!(checkpoint_of(&mut view(&on, third).await).await, 0);
        drop(held);
    }
}

pub async fn a_flip_moves_pointer_states_and_epoch_together(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let first = first_live(&on).await;
    let (oldest, next) = (candidate(&on).await, candidate(&on).await);
    let mut late = claim(&on, first.generation).await;
    fold(&mut late, 3).await.unwrap();
    let fence = other.fence(&slot(), first.generation).await.unwrap();
    let mut writer = claim(&other, next).await;
    fold(&mut writer, 4).await.unwrap();
    writer.finish(&schema()).await.unwrap();
    let flipped = after(first, next);
    let change = Change { retire: vec![oldest], ..pointing(Some(first), flipped) };
    fence.flip(&change).await.unwrap();
    assert_eq!(on.live(&slot()).await, Ok(Some(flipped)));
    let states: Vec<_> =
        on.generations(&slot()).await.unwrap().iter().map(|entry| (entry.id, entry.state)).collect();
    let wanted = [
        (first.generation, GenerationState::Ready),
        (oldest, GenerationState::Retired),
        (next, GenerationState::Ready),
    ];
    assert_eq!(states, wanted);
    assert_eq!(checkpoint_of(&mut live_view(&on).await).await, 4);
    let fenced = fold(&mut late, 4).await;
    assert!(matches!(fenced, Err(DatabaseError::Fenced { .. })), "{fenced:?}");
    assert_eq!(checkpoint_of(&mut view(&on, first.generation).await).await, 3);
    let mut previous = claim(&on, first.generation).await;
    fold(&mut previous, 5).await.unwrap();
    fold(&mut writer, 5).await.unwrap();
    assert_eq!(checkpoint_of(&mut live_view(&on).await).await, 5);
}

pub async fn a_flip_of_a_pointer_that_moved_changes_nothing(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let first = first_live(&on).await;
    let (second, next) = (candidate(&on).await, candidate(&on).await);
    let mut writer = claim(&on, first.generation).await;
    fold(&mut writer, 1).await.unwrap();
    let moved = after(first, second);
    on.change(&pointing(Some(first), moved)).await.unwrap();
    let before = status(&on, first.generation).await;
    let expected = [Some(first), None, Some(Live { epoch: moved.epoch + 1, ..moved })];
    for expect in expected {
        let fence = other.fence(&slot(), first.generation).await.unwrap();
        let change = Change { retire: vec![second], ..pointing(expect, after(first, next)) };
        assert_eq!(fence.flip(&change).await, Err(DatabaseError::Moved));
    }
    assert_eq!(on.live(&slot()).await, Ok(Some(moved)));
    let entries = on.generations(&slot()).await.unwrap();
    assert!(entries.iter().all(|entry| entry.state == GenerationState::Ready), "{entries:?}");
    assert_eq!(status(&on, first.generation).await, before);
    patient_fold(&mut writer, 2).await.unwrap();
    assert_eq!(checkpoint_of(&mut view(&on, first.generation).await).await, 2);
}

pub async fn a_flip_that_is_dropped_halfway_is_whole_or_absent(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let mut live = first_live(&on).await;
    let mut next = candidate(&on).await;
    for wakes in 0..STEPS_MAX {
        assert_eq!(on.live(&slot()).await, Ok(Some(live)), "the pointer moved after the writer had gone on");
        let mut writer = patient_claim(&on, live.generation).await;
        let from = writer.status().checkpoint.get();
        let wanted = after(live, next);
        let fence = other.fence(&slot(), live.generation).await.unwrap();
        let change = pointing(Some(live), wanted);
        let done = dropped_after(wakes, fence.flip(&change)).await;
        // What was under way may still happen: once the writer is through, it has.
        let folded = patient_fold(&mut writer, from + 1).await;
        let now = on.live(&slot()).await.unwrap().unwrap();
        assert!(now == live || now == wanted, "{now:?} is neither {live:?} nor {wanted:?}");
        assert_eq!(
            checkpoint_of(&mut view(&on, live.generation).await).await,
            from + u64::from(folded.is_ok())
        );
        if let Err(error) = &folded {
            assert!(matches!(error, DatabaseError::Fenced { .. }), "{error:?}");
            assert_eq!(now, wanted, "the writer was fenced in vain");
        }
        if now == wanted {
            next = live.generation;
            live = now;
        }
        if let Some(done) = done {
            done.unwrap();
            assert!(folded.is_err() && now == wanted);
            return;
        }
    }
    panic!("not flipped after {STEPS_MAX} steps");
}

pub async fn what_is_not_there_cannot_be_fenced(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = spec(Purpose::Candidate).id;
    let fenced = on.fence(&slot(), id).await.err();
    assert!(matches!(fenced, Some(DatabaseError::NoGeneration { .. })), "{fenced:?}");
    let viewed = on.view(&slot(), Target::Generation(id)).await.err();
    assert!(matches!(viewed, Some(DatabaseError::NoGeneration { .. })), "{viewed:?}");
}
