//! What tells two histories of a log apart. A store without fingerprints says so, and passes.

use super::{
    Store,
    fixture::{append, fill, log, of},
};
use crate::{LogMismatch, SeenLog, chain_at, check_same_log};
use annals_event::{Fingerprint, LogId, Sequence};

/// The fingerprints at every event.
async fn all(store: &Store) -> Vec<Option<Fingerprint>> {
    let mut all = Vec::new();
    for event in log(store).await {
        all.push(store.fingerprint(event.sequence).await.unwrap());
    }
    all
}

pub async fn a_fingerprint_stays_what_it_was_while_the_log_grows(store: Store) {
    fill(&store, 20).await;
    let before = all(&store).await;
    fill(&store, 20).await;
    assert_eq!(all(&store).await[..before.len()], before);
    let head = store.head().await.unwrap();
    for (event, fingerprint) in log(&store).await.iter().zip(before) {
        let Some(fingerprint) = fingerprint else { continue };
        assert_eq!((fingerprint.log_id, fingerprint.sequence), (head.log_id, event.sequence));
    }
}

pub async fn each_append_changes_the_fingerprint(store: Store) {
    append(&store, of("a", 1)).await;
    let first = all(&store).await[0];
    append(&store, of("a", 1)).await;
    let second = all(&store).await[1];
    assert!(first.is_none() || first.map(|print| print.chain) != second.map(|print| print.chain));
}

pub async fn there_is_no_fingerprint_beyond_the_head(store: Store) {
    fill(&store, 3).await;
    let last = store.head().await.unwrap().last;
    assert_eq!(store.fingerprint(last.next()).await.unwrap(), None);
    assert_eq!(store.fingerprint(Sequence::MAX).await.unwrap(), None);
}

pub async fn a_consumer_is_refused_by_another_log_a_shorter_one_and_another_history(store: Store) {
    fill(&store, 5).await;
    let head = store.head().await.unwrap();
    let chain = chain_at(&*store, head.last).await.unwrap();
    let seen = SeenLog { log_id: head.log_id, through: head.last, chain };
    fill(&store, 5).await;
    assert_eq!(check_same_log(&*store, &seen).await, Ok(()));

    let built_from = LogId::from_bytes([9; 16]);
    let other = check_same_log(&*store, &SeenLog { log_id: built_from, ..seen }).await;
    assert_eq!(other, Err(LogMismatch::OtherLog { built_from, found: head.log_id }));

    let last = store.head().await.unwrap().last;
    let ahead = check_same_log(&*store, &SeenLog { through: last.next(), ..seen }).await;
    assert_eq!(ahead, Err(LogMismatch::Ahead { seen: last.next(), last }));

    let diverged = check_same_log(&*store, &SeenLog { chain: Some([7; 16]), ..seen }).await;
    let keeps_fingerprints = chain.is_some();
    let due = if keeps_fingerprints { Err(LogMismatch::Diverged { seen: seen.through }) } else { Ok(()) };
    assert_eq!(diverged, due);
    assert_eq!(check_same_log(&*store, &SeenLog { chain: None, ..seen }).await, Ok(()), "nothing to compare");
}
