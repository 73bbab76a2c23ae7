//! What the platform itself tells of a service: how its parts are.

use super::{
    app::App,
    supervise::{PartState, Parts},
};
use crate::health::{Condition, ConsumerKind, Health};
use annals_store::{Activity, ConsumerState};
use tokio_util::sync::CancellationToken;

/// Tells `health` of the parts of a service, which were started.
pub(super) fn tell(health: &Health, app: &App, parts: Parts, leaving: CancellationToken) {
    for consumer in app.consumers() {
        let (watched, parts, leaving) = (consumer.clone(), parts.clone(), leaving.clone());
        health.consumer(consumer.kind, &consumer.name, move || {
            let ends = leaving.is_cancelled();
            goes_on(watched.state(), parts.of(&watched.part()).filter(|_| !ends))
        });
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

/// What a consumer does whose part does this. One that has ended and will be started again has not stopped.
fn goes_on(mut state: ConsumerState, part: Option<PartState>) -> ConsumerState {
    if let Activity::Stopped { reason } = &state.activity
        && matches!(part, Some(PartState::Running | PartState::Retrying { .. }))
    {
        state.activity = Activity::Retrying { reason: reason.clone() };
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_store::ConsumerBoard;

    #[test]
    fn a_consumer_that_is_started_again_has_not_stopped() {
        let reason = || "a file cannot be read".to_owned();
        let of = |part| {
            let board = ConsumerBoard::new();
            board.set(Activity::Stopped { reason: reason() });
            goes_on(board.watch().state(), part).activity
        };
        let again = Activity::Retrying { reason: reason() };
        // It has ended, and the part does not know yet.
        assert_eq!(of(Some(PartState::Running)), again);
        let since = std::time::SystemTime::now();
        assert_eq!(of(Some(PartState::Retrying { since, attempts: 1, reason: reason() })), again);
        let stopped = Activity::Stopped { reason: reason() };
        assert_eq!(of(Some(PartState::Stopped { reason: reason() })), stopped);
        assert_eq!(of(None), stopped);
    }
}
