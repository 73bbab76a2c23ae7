//! Two copies of a worker that crash and come back over and over, on a store that fails and loses answers, while
//! users write to the same accounts: each order is charged exactly once all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::Cause;
use annals_event::{EventId, Sequence};
use annals_reactor::ReactorError;
use annals_store::{EventStore, GappedStore};
use common::troubled::Troubled;
use common::{Charge, PATIENCE, append_all, charges, order, repository, start, worker};
use std::{collections::HashMap, sync::Arc};

const SEEDS: u64 = 40;
const ORDERS: usize = 60;
const USER_CHARGES: usize = 25;
const CUSTOMERS: [&str; 4] = ["ada", "bob", "cy", "dee"];

/// How often the lives of a copy ended in which way.
#[derive(Default)]
struct Lives {
    killed: usize,
    fenced: usize,
}

/// A copy that is started again after each crash and each time that it is fenced, until it has handled all.
async fn live(store: Arc<dyn EventStore>, seed: u64, through: Sequence) -> Lives {
    let mut lives = Lives::default();
    for life in 0.. {
        let troubled =
            Troubled::often(store.clone(), seed.wrapping_mul(1_000_003).wrapping_add(life * 1_009));
        let batch_events_max = 2 + usize::try_from((seed + life) % 9).unwrap();
        let (handle, stop, mut task) = start(worker(troubled.store(), batch_events_max));
        tokio::select! {
            () = troubled.hit() => {
                lives.killed += 1;
                task.abort();
                let _ = task.await;
            }
            ended = &mut task => {
                let error = ended.unwrap().unwrap_err();
                assert!(matches!(error, ReactorError::Fenced { .. }), "{error}");
                lives.fenced += 1;
            }
            reached = handle.wait_for(through, PATIENCE * 100) => {
                if reached.is_ok() {
                    stop.cancel();
                    task.abort();
                    return lives;
                }
            }
        }
    }
    lives
}

async fn users(store: Arc<dyn EventStore>) {
    let accounts = repository(store).conflict_retries_max(1_000);
    for n in 0..USER_CHARGES {
        let charge = Charge { cents: 1, note: "by hand".into() };
        accounts.execute(CUSTOMERS[n % CUSTOMERS.len()], charge, Cause::new()).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn everything_at_once(seed: u64) -> Lives {
    let store: Arc<dyn EventStore> = Arc::new(GappedStore::new());
    let orders = (0..ORDERS).map(|n| order(n, CUSTOMERS[n * 7 % CUSTOMERS.len()], 10));
    let through = append_all(&*store, orders).await;
    let copies = async {
        tokio::join!(live(store.clone(), seed, through), live(store.clone(), seed + 1_000_000, through))
    };
    let ((one, other), ()) = tokio::join!(copies, users(store.clone()));

    let mut charged = HashMap::<Option<EventId>, usize>::new();
    for output in charges(&*store).await {
        *charged.entry(output.metadata.causation_id).or_default() += 1;
    }
    assert_eq!(charged.remove(&None), Some(USER_CHARGES), "seed {seed}");
    let expected = (0..ORDERS).map(|n| (Some(EventId::from_name(&format!("order-{n}"))), 2)).collect();
    assert_eq!(charged, expected, "seed {seed}: an order charges two accounts, once");
    Lives { killed: one.killed + other.killed, fenced: one.fenced + other.fenced }
}

#[tokio::test(start_paused = true)]
async fn each_order_is_charged_once_whatever_happens() {
    let mut all = Lives::default();
    for seed in 0..SEEDS {
        let lives = everything_at_once(seed).await;
        all = Lives { killed: all.killed + lives.killed, fenced: all.fenced + lives.fenced };
    }
    assert!(
        all.killed > 100 && all.fenced > 10,
        "{} killed, {} fenced: too peaceful",
        all.killed,
        all.fenced
    );
}
