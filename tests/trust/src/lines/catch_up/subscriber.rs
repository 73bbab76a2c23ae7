//! A subscriber that hangs up at random moments and comes back to continue after what it has.

use crate::{judge::Judge, process::patient, random::Random};
use annals_event::{Category, Sequence};
use annals_store::{Delivery, EventStore, Filter, ReadError, Subscribe};
use annals_store_grpc::GrpcStore;
use anyhow::Result;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

/// It hangs up after at most this many deliveries.
const DELIVERIES_MAX: u64 = 60;
/// Now and then a delivery takes it up to this long.
const DAWDLE_MS_MAX: u64 = 15;

pub(super) struct Subscriber {
    url: String,
    filter: Filter,
    random: Random,
    judge: Arc<Judge>,
    through: Sequence,
    delivered: Delivered,
}

/// What a subscriber got.
#[derive(Default)]
pub(super) struct Delivered {
    pub(super) filtered: bool,
    pub(super) sequences: Vec<u64>,
    pub(super) hang_ups: u64,
}

impl Delivered {
    pub(super) fn events(&self) -> u64 {
        u64::try_from(self.sequences.len()).unwrap_or(u64::MAX)
    }
}

/// How a connection ended.
enum Hung {
    Up,
    AtTheEnd,
}

impl Subscriber {
    pub(super) fn new(
        address: &str,
        category: Option<&str>,
        random: Random,
        judge: Arc<Judge>,
    ) -> Result<Self> {
        let categories = category.map(Category::new).into_iter().collect::<Result<Vec<_>, _>>()?;
        let delivered = Delivered { filtered: category.is_some(), ..Delivered::default() };
        let (url, filter) = (format!("http://{address}"), Filter { categories, ..Filter::all() });
        Ok(Self { url, filter, random, judge, through: Sequence::ZERO, delivered })
    }

    /// Takes everything up to the end, once that is known.
    pub(super) async fn run(mut self, end: watch::Receiver<Option<Sequence>>) -> Result<Delivered> {
        // Sometimes on a connection of its own, otherwise as a new subscription on the same one.
        let mut store = GrpcStore::connect(&self.url, patient()).await?;
        while let Hung::Up = self.listen(&store, end.clone()).await? {
            self.delivered.hang_ups += 1;
            if self.random.one_in(2) {
                store = GrpcStore::connect(&self.url, patient()).await?;
            }
        }
        Ok(self.delivered)
    }

    async fn listen(
        &mut self,
        store: &GrpcStore,
        mut end: watch::Receiver<Option<Sequence>>,
    ) -> Result<Hung> {
        let mut subscription = store.subscribe(Subscribe::after(self.through, self.filter.clone())).await?;
        for _ in 0..=self.random.below(DELIVERIES_MAX) {
            if end.borrow_and_update().is_some_and(|end| self.through >= end) {
                return Ok(Hung::AtTheEnd);
            }
            let delivery = tokio::select! {
                delivery = subscription.next() => delivery,
                changed = end.changed() => {
                    changed?;
                    continue;
                }
            };
            match delivery {
                Ok(delivery) => self.take(&delivery),
                Err(ReadError::Unavailable { .. }) => return Ok(Hung::Up),
                Err(other) => {
                    self.judge.accuse(format!("a subscriber at {} heard: {other}", self.through));
                    return Ok(Hung::AtTheEnd);
                }
            }
            if self.random.one_in(40) {
                sleep(Duration::from_millis(self.random.below(DAWDLE_MS_MAX))).await;
            }
        }
        Ok(Hung::Up)
    }

    fn take(&mut self, delivery: &Delivery) {
        let mut last = self.through;
        for event in delivery.events.iter() {
            if event.sequence() <= last {
                self.judge.accuse(format!("event {event:?} was delivered after {last}"));
            }
            last = event.sequence();
            self.delivered.sequences.push(last.get());
        }
        if delivery.through < last || delivery.through < self.through || delivery.head < delivery.through {
            let Delivery { through, head, .. } = delivery;
            self.judge
                .accuse(format!("a delivery with events up to {last} says through {through}, head {head}"));
        }
        self.judge.saw(&delivery.events);
        self.through = self.through.max(delivery.through);
    }
}
