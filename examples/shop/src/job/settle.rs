//! Waits until nothing is left to do.

use crate::orders::queries::Queries;
use crate::shop::Shop;
use annals::event::Sequence;
use annals::projection::{ProjectorHandle, WaitError as ModelWaitError};
use annals::reactor::{ReactorHandle, WaitError as ReactorWaitError};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// A consumer that does not move for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// How often a read model is asked whether it is still folded: by another process it could be, but here there is none.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Waits until every reactor and every read model has reached the head, and the head stays where it is: an event
/// that one of them was still to give rise to would have moved it. Returns where that is.
pub async fn settle(shop: &Shop) -> Result<Sequence> {
    let store = shop.store.events();
    loop {
        let head = store.head().await?.last;
        for (name, reactor) in &shop.reactors {
            reacted(name, reactor, head).await?;
        }
        folded(&shop.queries, head).await?;
        if store.head().await?.last == head {
            return Ok(head);
        }
    }
}

async fn reacted(name: &str, reactor: &ReactorHandle, head: Sequence) -> Result<()> {
    loop {
        let before = reactor.position();
        match reactor.wait_for(head, STUCK_AFTER).await {
            Ok(_) => return Ok(()),
            Err(ReactorWaitError::Behind { position, .. }) if position > before => {}
            Err(error) => bail!("the reactor of {name} is stuck: {error}"),
        }
    }
}

async fn folded(queries: &Queries, head: Sequence) -> Result<()> {
    for (name, model) in queries.read_models() {
        reached(name, model, head).await?;
    }
    Ok(())
}

async fn reached(name: &str, model: &ProjectorHandle, head: Sequence) -> Result<()> {
    let (mut before, mut moved) = (model.checkpoint(), Instant::now());
    loop {
        match model.wait_for(head, ASK_EVERY).await {
            Ok(_) => return Ok(()),
            Err(ModelWaitError::Behind { checkpoint, .. }) if checkpoint > before => {
                (before, moved) = (checkpoint, Instant::now());
            }
            Err(ModelWaitError::Behind { .. }) if moved.elapsed() < STUCK_AFTER => {}
            Err(error) => bail!("read model {name} is stuck: {error}"),
        }
    }
}
