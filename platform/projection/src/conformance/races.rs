//! Who raised the epoch last writes, and nobody else.

use super::{
    Catalog,
    fixture::{
        Handle, STEPS_MAX, amounts, at_once, candidate, checkpoint_of, claim, commit, dropped_after, fitting,
        fold, ids, item, open, patient_claim, said, slot, stamped, status, view,
    },
    tables::ITEM,
};
use crate::{
    GenerationId,
    backend::{DatabaseError, Writer},
};
use std::sync::Arc;
use tokio::sync::Mutex;

/// How many write at once.
const WRITERS: usize = 4;
/// How often each of them takes over.
const TAKEOVERS: usize = 10;
/// How many batches each of them writes after that, unless it is fenced.
const BATCHES: usize = 4;

#[track_caller]
fn is_fenced(done: Result<(), DatabaseError>, epoch: u64) {
    assert_eq!(done, Err(DatabaseError::Fenced { found: epoch }));
}

pub async fn a_writer_that_was_taken_over_writes_nothing(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    for by in [&other, &on] {
        let mut late = claim(&on, id).await;
        let from = late.status().checkpoint.get();
        fold(&mut late, from + 1).await.unwrap();
        let mut writer = claim(by, id).await;
        let epoch = writer.status().epoch;
        assert!(epoch > late.status().epoch);
        assert_eq!(writer.status().checkpoint.get(), from + 1);
        for _ in 0..3 {
            is_fenced(commit(&mut late, from + 2, vec![item(-1, -1)]).await, epoch);
            assert_eq!(status(&on, id).await, *writer.status());
        }
        fold(&mut writer, from + 2).await.unwrap();
        is_fenced(commit(&mut late, from + 3, vec![item(-1, -1)]).await, epoch);
        is_fenced(commit(&mut late, from + 2, vec![item(-1, -1)]).await, epoch);
        fold(&mut writer, from + 3).await.unwrap();
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, from + 3);
    }
}

pub async fn a_takeover_during_a_transaction_is_before_or_after_it(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    for _ in 0..10 {
        let mut late = claim(&on, id).await;
        let from = late.status().checkpoint.get();
        let mut tx = late.begin().await.unwrap();
        let row = item(i64::try_from(from + 1).unwrap(), 1);
        tx.write(&ITEM, ids([]), stamped(&ITEM, vec![row], 1)).await.unwrap();
        let takeover = {
            let other = other.clone();
            tokio::spawn(async move { patient_claim(&other, id).await })
        };
        tokio::task::yield_now().await;
        let committed = tx.commit(said(from + 1)).await;
        let mut writer = takeover.await.unwrap();
        let found = fitting(writer.status());
        match committed {
            Ok(()) => assert_eq!(found, from + 1),
            Err(DatabaseError::Fenced { .. }) => assert_eq!(found, from),
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, found);
        fold(&mut writer, found + 1).await.unwrap();
    }
}

/// From where to where, and by whom.
type Step = (u64, u64, usize);

/// Takes the generation over and writes, until it is fenced. Gives what it committed.
async fn write(on: &Handle, id: GenerationId, who: usize) -> Vec<Step> {
    let mut writer = patient_claim(on, id).await;
    let mut steps = Vec::new();
    while steps.len() < BATCHES {
        let from = writer.status().checkpoint.get();
        match fold(&mut writer, from + 1).await {
            Ok(()) => steps.push((from, from + 1, who)),
            Err(DatabaseError::Fenced { .. }) => break,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    steps
}

pub async fn of_many_writers_only_the_last_that_claimed_writes(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let handles = [open(&catalog).await, open(&catalog).await];
    let steps = at_once(WRITERS, |who| {
        let on = handles[who % handles.len()].clone();
        async move {
            let mut steps = Vec::new();
            for _ in 0..TAKEOVERS {
                steps.extend(write(&on, id, who).await);
            }
            steps
        }
    });
    let mut steps: Vec<Step> = steps.await.into_iter().flatten().collect();
    steps.sort_unstable();
    let places: Vec<_> = steps.iter().map(|(from, through, _)| (*from, *through)).collect();
    let wanted: Vec<_> = (0..).take(places.len()).map(|from| (from, from + 1)).collect();
    assert_eq!(places, wanted, "the checkpoint moved twice from one place, or over one");
    assert!(places.len() >= BATCHES, "the last one to claim writes all its batches");
    assert_eq!(checkpoint_of(&mut view(&on, id).await).await, u64::try_from(places.len()).unwrap());
}

pub async fn of_two_that_commit_at_once_one_is_fenced(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    for round in 0..20 {
        let late = claim(&on, id).await;
        let writer = claim(&other, id).await;
        let writers: Vec<Arc<Mutex<Box<dyn Writer>>>> =
            [late, writer].into_iter().map(|writer| Arc::new(Mutex::new(writer))).collect();
        let done = at_once(2, |who| {
            let writer = writers[who].clone();
            async move {
                let mark = i64::try_from(who).unwrap();
                commit(&mut *writer.lock().await, round + 1, vec![item(mark, mark)]).await
            }
        });
        let done = done.await;
        assert!(matches!(done[0], Err(DatabaseError::Fenced { .. })), "{done:?}");
        assert_eq!(done[1], Ok(()));
        assert_eq!(amounts(&on, id).await, [(1, 1)], "the late one wrote");
    }
}

pub async fn a_takeover_that_is_dropped_halfway_fences_or_does_not(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    for wakes in 0..STEPS_MAX {
        let mut writer = claim(&on, id).await;
        let (from, epoch) = (writer.status().checkpoint.get(), writer.status().epoch);
        let slot = slot();
        let done = dropped_after(wakes, async { other.fence(&slot, id).await?.claim().await }).await;
        let is_done = done.is_some();
        drop(done);
        let written = fold(&mut writer, from + 1).await;
        match &written {
            Ok(()) => assert!(!is_done, "it was taken over, and writes"),
            Err(DatabaseError::Fenced { found }) => assert!(*found > epoch),
            Err(error) => panic!("{error:?}"),
        }
        let found = checkpoint_of(&mut view(&on, id).await).await;
        assert_eq!(found, from + u64::from(written.is_ok()));
        if is_done {
            return;
        }
    }
    panic!("not taken over after {STEPS_MAX} steps");
}
