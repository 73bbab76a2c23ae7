//! What the platform itself tells of a service: how its parts are.

use super::{
    app::App,
    supervise::{PartState, Parts},
};
use crate::health::{Condition, ConsumerKind, Health};
use tokio_util::sync::CancellationToken;

/// Tells `health` of the parts of a service, which were started.
pub(super) fn tell(health: &Health, app: &App, parts: Parts, leaving: CancellationToken) {
    for consumer in app.consumers() {
        let watched = consumer.clone();
        health.consumer(consumer.kind, &consumer.name, move || watched.state());
    }
    let replays = app.replays().clone();
    health.consumer(ConsumerKind::Other, "replays", move || replays.state());
    health.ask(move || match leaving.is_cancelled() {
        true => vec![("the service".to_owned(), Condition::NotReady("it was told to stop".to_owned()))],
        false => Vec::new(),
    });
    // A consumer that has stopped says so itself.
    let consumers: Vec<_> = app.consumers().iter().map(|consumer| consumer.part()).collect();
    health.ask(move || {
        let reason = |name: &String, state| match state {
            PartState::Retrying { reason, .. } => Some(reason),
            PartState::Stopped { reason } if !consumers.contains(name) => Some(reason),
            _ => None,
        };
        let parts = parts.now().into_iter();
        let parts = parts.filter_map(|(name, state)| Some((reason(&name, state)?, name)));
        parts.map(|(reason, name)| (name, Condition::Degraded(reason))).collect()
    });
}
