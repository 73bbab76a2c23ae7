use super::progress::{SharedGeneration, behind};
use crate::{Reader, ReaderError, Readers, WaitError};
use annals_event::{Sequence, Token};
use annals_store::{Activity, ConsumerState, ConsumerWatch};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// What a service holds of its projector. Cloning it gives another handle to the same one.
#[derive(Clone)]
pub struct ProjectorHandle {
    readers: Readers,
    watch: ConsumerWatch,
    generation: SharedGeneration,
}

impl ProjectorHandle {
    pub(super) fn new(readers: Readers, watch: ConsumerWatch, generation: SharedGeneration) -> Self {
        Self { readers, watch, generation }
    }

    /// What the projector does, and how far behind the log the live generation is. Once the projector has stopped, another
    /// process may have folded further: a [`Reader`] says how far.
    pub fn state(&self) -> ConsumerState {
        self.watch.state()
    }
    /// Every event up to here is in the live generation's rows.
    pub fn checkpoint(&self) -> Sequence {
        self.state().position
    }

    /// Readers of the read model, which go on working when the projector has stopped.
    pub fn readers(&self) -> &Readers {
        &self.readers
    }
    /// A view of what is live now.
    pub async fn reader(&self) -> Result<Reader, ReaderError> {
        self.readers.reader().await
    }

    /// A view that contains the event at `token`, as soon as there is one; an error that says how far behind the read
    /// model is when `timeout` is over. It does not matter which process folds: one that has lost the right to write, or has
    /// stopped, waits for the rows of the one that has it, and says so when they do not come.
    ///
    /// A token from before the log was restored from a backup may lie beyond the log's end, and
    /// then this says how far behind the read model is, until the log has grown past it: what was written under it is
    /// lost with what the backup did not have.
    pub async fn wait_for(&self, token: impl Into<Token>, timeout: Duration) -> Result<Reader, WaitError> {
        let token = token.into().sequence();
        let begun = Instant::now();
        // While this process folds, the board wakes whoever waits. Opening views that cannot contain the token yet would be
        // in vain.
        let arrived = |state: &ConsumerState| state.position >= token || !folds(&state.activity);
        let _ = tokio::time::timeout(timeout, self.watch.wait_for(arrived)).await;
        if let Some(reason) = self.other_history().await? {
            return Err(WaitError::OtherHistory { reason });
        }
        // What is live may be another generation than the board speaks of, if one was promoted just now; and the
        // board may not know what another process folded.
        match self.readers.wait_for(token, timeout.saturating_sub(begun.elapsed())).await {
            Err(WaitError::Behind { token, checkpoint, .. }) => Err(behind(&self.state(), token, checkpoint)),
            waited => waited,
        }
    }

    /// Why no token can be waited for: what is live is of another history of the log, and contains other events. `None`:
    /// it is not, or something else is live by now.
    async fn other_history(&self) -> Result<Option<String>, ReaderError> {
        let Activity::OtherHistory { reason } = self.state().activity else { return Ok(None) };
        let refused = *self.generation.lock();
        Ok((self.readers.reader().await?.generation() == refused).then_some(reason))
    }
}

/// Whether the rows that come will be this process's.
fn folds(activity: &Activity) -> bool {
    matches!(activity, Activity::Starting | Activity::Running | Activity::Retrying { .. })
}

impl fmt::Debug for ProjectorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProjectorHandle({:?}, {:?})", self.readers, self.state())
    }
}
