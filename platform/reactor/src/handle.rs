use crate::WaitError;
use annals_event::{Sequence, Token};
use annals_store::{Activity, ConsumerState, ConsumerWatch};
use std::time::Duration;
use tokio::time;

/// A view of a worker from outside. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct ReactorHandle {
    watch: ConsumerWatch,
}

impl ReactorHandle {
    pub(crate) const fn new(watch: ConsumerWatch) -> Self {
        Self { watch }
    }

    /// What the worker does, and how far behind the log it is. Its position is `ZERO` until it has read its mark.
    pub fn state(&self) -> ConsumerState {
        self.watch.state()
    }

    /// Every event up to here has been handled, its outputs are in the log.
    pub fn position(&self) -> Sequence {
        self.state().position
    }

    /// Waits until every event that `token` covers has been handled; gives the position then.
    pub async fn wait_for(&self, token: impl Into<Token>, timeout: Duration) -> Result<Sequence, WaitError> {
        let wanted = token.into().sequence();
        let stopped = |state: &ConsumerState| matches!(state.activity, Activity::Stopped { .. });
        let ended = |state: &ConsumerState| state.position >= wanted || stopped(state);
        let _ = time::timeout(timeout, self.watch.wait_for(ended)).await;
        let ConsumerState { position, activity, .. } = self.state();
        match activity {
            _ if position >= wanted => Ok(position),
            Activity::Stopped { reason } => Err(WaitError::Stopped { position, wanted, reason }),
            _ => Err(WaitError::Behind { position, wanted }),
        }
    }
}
