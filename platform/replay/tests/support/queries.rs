//! Readers that query in a loop, and a writer that appends in a loop.

use super::{
    customers::{orders, rows},
    world::{World, until},
};
use annals_event::Sequence;
use annals_projection::{GenerationId, Readers};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::task::JoinHandle;

/// Readers of one read model. Each asserts of every view that it is whole, that it belongs together, and that it is
/// no step back.
pub struct Queries {
    stop: Arc<AtomicBool>,
    views: Arc<AtomicUsize>,
    readers: Vec<JoinHandle<HashSet<GenerationId>>>,
}

impl Queries {
    /// So many readers, each with connections of its own.
    pub fn start(readers: impl IntoIterator<Item = Readers>) -> Self {
        let (stop, views) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let readers = readers.into_iter().map(|readers| {
            let (stop, views) = (stop.clone(), views.clone());
            tokio::spawn(async move {
                let (mut last, mut seen) = (Sequence::ZERO, HashSet::new());
                while !stop.load(Ordering::SeqCst) {
                    last = look(&readers, last, &mut seen).await;
                    views.fetch_add(1, Ordering::SeqCst);
                }
                seen
            })
        });
        let readers = readers.collect();
        Self { stop, views, readers }
    }

    /// Waits until there were so many views more.
    pub async fn more(&self, views: usize) {
        let wanted = self.views.load(Ordering::SeqCst) + views;
        until("more views", || {
            assert!(!self.readers.iter().any(JoinHandle::is_finished), "a reader failed");
            self.views.load(Ordering::SeqCst) >= wanted
        })
        .await;
    }

    /// The generations that were seen.
    pub async fn stop(self) -> HashSet<GenerationId> {
        self.stop.store(true, Ordering::SeqCst);
        let mut seen = HashSet::new();
        for reader in self.readers {
            seen.extend(reader.await.unwrap());
        }
        seen
    }
}

async fn look(readers: &Readers, last: Sequence, seen: &mut HashSet<GenerationId>) -> Sequence {
    let mut reader = readers.reader().await.unwrap();
    let now = reader.checkpoint();
    assert!(now >= last, "a step back from {last} to {reader:?}");
    seen.insert(reader.generation());
    let rows = rows(&mut reader).await;
    let through = i64::try_from(now.get()).unwrap();
    let by_customer: i64 = rows.customers.iter().map(|customer| customer.orders).sum();
    let by_day: i64 = rows.days.iter().map(|day| day.1).sum();
    assert!(by_customer > 0, "an empty table");
    assert_eq!(by_customer, by_day, "a mix of two views");
    assert_eq!(
        u64::try_from(by_day).unwrap(),
        reader.status().applied.count,
        "rows without their checkpoint"
    );
    assert!(rows.days.iter().all(|day| day.2 <= through) && rows.sequences.iter().all(|at| *at <= through));
    now
}

/// Appends in a loop.
pub struct Writing {
    stop: Arc<AtomicBool>,
    writer: JoinHandle<Sequence>,
}

impl Writing {
    pub fn start(world: &Arc<World>) -> Self {
        let (world, stop) = (world.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let writer = tokio::spawn(async move {
            let (mut head, mut first) = (Sequence::ZERO, 1_000_000);
            while !stopped.load(Ordering::SeqCst) {
                head = world.append(&orders(first, 10, 100)).await;
                first += 10;
                // A shop that is open, not a flood: the readers want their turn.
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            head
        });
        Self { stop, writer }
    }

    /// The last sequence number.
    pub async fn stop(self) -> Sequence {
        self.stop.store(true, Ordering::SeqCst);
        self.writer.await.unwrap()
    }
}
