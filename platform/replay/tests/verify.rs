//! What verifying finds: a wrong fold shows as exactly the wrong rows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_aggregate::Cause;
use annals_event::Sequence;
use annals_projection::{Difference, ReadModel, RowSample};
use annals_replay::{Phase, ReplayMode};
use annals_store::Activity;
use std::collections::BTreeMap;
use support::{
    CUSTOMERS, Customers, Days, Fold, Ordered, Projecting, Working, World, model, model_of, orders,
};

const MANY: usize = 1_500;

/// A deployment with a bug: rows made by the right fold, a program with the wrong one, and orders that only came
/// when the program was there.
struct Deployed {
    world: World,
    wrong: ReadModel,
    /// The live generation's checkpoint, where nobody folds it any further.
    at: Sequence,
    projecting: Projecting,
    working: Working,
}

async fn deployed() -> Deployed {
    let world = World::gapped();
    let at = world.append(&orders(0, MANY, 40)).await;
    let projecting = world.project(&model()).await;
    projecting.rows_at(at).await;
    projecting.stop().await;
    world.append(&orders(MANY, 200, 40)).await;
    let wrong = model_of(CUSTOMERS, 2, Fold::Wrong);
    let projecting = world.project(&wrong).await;
    assert!(matches!(projecting.handle.state().activity, Activity::NeedsReplay { .. }));
    let working = world.work(&wrong).await;
    Deployed { world, wrong, at, projecting, working }
}

/// What must be found, computed from the orders alone.
fn expected(at: Sequence, orders: &[Ordered]) -> Difference {
    let mut customers = BTreeMap::<&str, (i64, i64)>::new();
    let mut days = BTreeMap::<i64, i64>::new();
    for order in orders {
        let row = customers.entry(&order.customer).or_default();
        *row = (row.0 + 1, row.1 + order.cents);
        *days.entry(order.day).or_default() += 1;
    }
    let sample = |table: &str, key: String, live: Option<String>, candidate: Option<String>| RowSample {
        table: table.into(),
        key,
        live,
        candidate,
    };
    let whole = |name: &str| format!("orders={}, revenue_cents={}", customers[name].0, customers[name].1);
    let cents = customers[Customers::DOUBLED].1;
    Difference {
        sequence: at,
        added: 1,
        removed: 2,
        changed: 1,
        same: u64::try_from(customers.len() - 2 + days.len() - 1).unwrap(),
        complete_events: u64::try_from(orders.len()).unwrap(),
        log_events: u64::try_from(orders.len()).unwrap(),
        samples: vec![
            sample("customer", "name='c003'".into(), Some(whole(Customers::FORGOTTEN)), None),
            sample(
                "customer",
                "name='c005'".into(),
                Some(format!("revenue_cents={cents}")),
                Some(format!("revenue_cents={}", cents * 2)),
            ),
            sample("customer", "name='ghost'".into(), None, Some(whole(Customers::HAUNTED))),
            sample("day", "day=7".into(), Some(format!("orders={}", days[&Days::FORGOTTEN])), None),
        ],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_fold_shows_exactly_its_wrong_rows_and_is_not_promoted() {
    let Deployed { world, wrong, at, projecting, working } = deployed().await;
    let generations = world.generations(&wrong).await;
    let before = generations.live().await.unwrap();
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    let replay = working.settled(id).await.replay;
    assert_eq!(replay.phase, Phase::Ready, "{:?}", replay.failure);
    assert_eq!(replay.difference.unwrap(), expected(at, &orders(0, MANY, 40)));
    assert_eq!(generations.live().await.unwrap(), before);

    // Whoever wants the rows as they are has them.
    working.replays.promote(id, Cause::new().actor("somebody")).await.unwrap();
    working.promoted(id).await;
    assert_eq!(projecting.rows_at(world.head().await).await, world.fresh_fold(&wrong).await);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_to_be_promoted_is_promoted_whatever_rows_differ() {
    let Deployed { world, wrong, at, projecting, working } = deployed().await;
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    let replay = working.promoted(id).await.replay;
    assert_eq!(replay.difference.unwrap(), expected(at, &orders(0, MANY, 40)));
    assert_eq!(projecting.rows_at(world.head().await).await, world.fresh_fold(&wrong).await);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_fold_from_the_middle_shows_only_what_it_did_since() {
    let world = World::gapped();
    let projecting = world.project(&model()).await;
    let middle = world.append(&orders(0, 1_000, 40)).await;
    let right = projecting.rows_at(middle).await;
    world.generations(&model()).await.take_snapshot().await.unwrap();
    let head = world.append(&orders(1_000, 500, 40)).await;
    projecting.rows_at(head).await;
    let working = world.work(&model_of(CUSTOMERS, 1, Fold::Wrong)).await;
    let id = working.request(CUSTOMERS, middle.next(), ReplayMode::Build).await;
    let difference = working.settled(id).await.replay.difference.unwrap();
    // The forgotten customer and day are there from before, with less than they should have.
    assert_eq!((difference.added, difference.removed, difference.changed), (1, 0, 3));
    let forgotten = right.customers.iter().find(|row| row.name == Customers::FORGOTTEN).unwrap();
    let since = orders(1_000, 500, 40).into_iter().filter(|order| order.customer == Customers::FORGOTTEN);
    let since: Vec<_> = since.map(|order| order.cents).collect();
    let sample = &difference.samples[0];
    let row = |orders: i64, cents: i64| Some(format!("orders={orders}, revenue_cents={cents}"));
    assert_eq!(sample.candidate, row(forgotten.orders, forgotten.revenue_cents));
    let count = i64::try_from(since.len()).unwrap();
    let live = row(forgotten.orders + count, forgotten.revenue_cents + since.iter().sum::<i64>());
    assert_eq!(sample.live, live);
    working.stop().await;
    projecting.stop().await;
}
