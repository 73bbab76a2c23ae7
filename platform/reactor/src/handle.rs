use crate::WaitError;
use annals_event::Sequence;
use std::time::Duration;
use tokio::{sync::watch, time};

/// A view of a worker from outside. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct ReactorHandle {
    position: watch::Receiver<Sequence>,
}

impl ReactorHandle {
    pub(crate) const fn new(position: watch::Receiver<Sequence>) -> Self {
        Self { position }
    }

    /// Every event up to here has been handled, its outputs are in the log. `ZERO` until the worker has read its
    /// mark.
    pub fn position(&self) -> Sequence {
        *self.position.borrow()
    }

    /// Waits until every event up to `wanted` has been handled.
    pub async fn wait_for(&self, wanted: Sequence, timeout: Duration) -> Result<Sequence, WaitError> {
        let mut position = self.position.clone();
        let reached = async { position.wait_for(|at| *at >= wanted).await.map(|at| *at) };
        match time::timeout(timeout, reached).await {
            Ok(Ok(at)) => Ok(at),
            Ok(Err(_)) => Err(WaitError::Stopped { position: self.position(), wanted }),
            Err(_) => Err(WaitError::Behind { position: self.position(), wanted }),
        }
    }
}
