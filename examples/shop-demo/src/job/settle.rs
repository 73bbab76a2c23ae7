//! Waits until nothing is left to do.

use crate::shop::{Consumer, Health, Shop};
use annals::event::Sequence;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// A shop none of whose consumers moves for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Waits until every reactor and every read model has reached the head, and the head stays where it is: an event
/// that one of them was still to give rise to would have moved it. Returns where that is.
pub async fn settle(shop: &Shop) -> Result<Sequence> {
    let (mut reached, mut before, mut moved) = (None, Vec::new(), Instant::now());
    loop {
        let health = shop.health().await?;
        if health.consumers().any(|(_, consumer)| goes_no_further(consumer)) {
            bail!("the shop is stuck: {}", health.degraded.join("; "));
        }
        match health.reached() {
            Some(head) if reached == Some(head) => return Ok(Sequence::new(head)),
            so_far => reached = so_far,
        }
        let now: Vec<_> = health.consumers().map(|(_, consumer)| consumer.at).collect();
        if now != before {
            (before, moved) = (now, Instant::now());
        } else if moved.elapsed() >= STUCK_AFTER {
            let names: Vec<_> = health.consumers().map(|(name, it)| format!("{name} at {}", it.at)).collect();
            bail!("the shop is stuck: {}; {}", names.join(", "), health.degraded.join("; "));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Not by itself: somebody has to do something.
fn goes_no_further(consumer: &Consumer) -> bool {
    !["starting", "running", "retrying"].contains(&consumer.state.as_str())
}

impl Health {
    fn consumers(&self) -> impl Iterator<Item = (&String, &Consumer)> {
        self.consumers.values().flatten()
    }

    /// The head, if everything up to there is handled. It was looked up before the consumers were.
    fn reached(&self) -> Option<u64> {
        let has = |head| {
            move |(_, consumer): (&String, &Consumer)| consumer.state == "running" && consumer.at >= head
        };
        self.head.filter(|head| self.consumers().all(has(*head)))
    }
}
