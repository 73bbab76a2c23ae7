//! What is left when the server crashes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::backend::{Backend, Change, DatabaseError, Live, Purpose, Writer};
use annals_projection_postgres::{PostgresOptions, connect};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use support::{
    item::{claim, count_of, first_live, fold, make, slot},
    own_server,
};

/// A test that waits for longer fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Folds to `through`, as a worker does that tries again what may pass.
async fn patient_fold(writer: &mut Box<dyn Writer>, through: u64) {
    let begun = Instant::now();
    while let Err(error) = fold(writer, through).await {
        assert!(error.is_transient(), "{error:?}");
        assert!(begun.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn open(url: &str) -> Arc<dyn Backend> {
    let begun = Instant::now();
    loop {
        match connect(&PostgresOptions::new(url)).await {
            Ok(on) => return on,
            Err(error) => assert!(error.is_transient() && begun.elapsed() < PATIENCE, "{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_checkpoint_stay_together_when_the_server_crashes() {
    let Some(server) = own_server() else { return };
    let on = open(&server.url()).await;
    let live = first_live(&*on).await;
    let mut writer = claim(&*on, live.generation).await.unwrap();
    for round in 1..=3 {
        for step in 1..=20 {
            patient_fold(&mut writer, round * 100 + step).await;
        }
        let told = writer.status().checkpoint.get();
        server.crash();
        // Commits of a fold that the disk had not yet may be gone, with their rows.
        let left = count_of(&*open(&server.url()).await, live.generation).await;
        assert!(left <= told, "{left} rows, and the writer knows of {told}");
        patient_fold(&mut writer, round * 100 + 50).await;
        assert_eq!(count_of(&*open(&server.url()).await, live.generation).await, round * 100 + 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promoted_is_live_and_whole_after_a_crash() {
    let Some(server) = own_server() else { return };
    let on = open(&server.url()).await;
    let live = first_live(&*on).await;
    let next = make(&*on, Purpose::Candidate).await;
    let mut writer = claim(&*on, next).await.unwrap();
    fold(&mut writer, 500).await.unwrap();
    let now = Live { generation: next, previous: Some(live.generation), epoch: 2 };
    let change = Change { slot: slot(), expect: Some(live), set: Some(now), retire: Vec::new() };
    on.fence(&slot(), live.generation).await.unwrap().flip(&change).await.unwrap();
    server.crash();
    let on = open(&server.url()).await;
    assert_eq!(on.live(&slot()).await.unwrap(), Some(now));
    assert_eq!(
        count_of(&*on, next).await,
        500,
        "the promotion waited for the disk, and so for all before it"
    );
    let again = on.fence(&slot(), live.generation).await.unwrap().flip(&change).await;
    assert_eq!(again, Err(DatabaseError::Moved));
}
