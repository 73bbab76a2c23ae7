use super::{Progress, ProjectorState, progress::ProgressBoard};
use crate::{Reader, ReaderError, Readers, WaitError};
use annals_event::Sequence;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// What a service holds of its projector. Cloning it gives another handle to the same one.
#[derive(Clone)]
pub struct ProjectorHandle {
    readers: Readers,
    board: Arc<ProgressBoard>,
}

impl ProjectorHandle {
    pub(super) fn new(readers: Readers, board: Arc<ProgressBoard>) -> Self {
        Self { readers, board }
    }

    /// Where the projector is.
    pub fn progress(&self) -> Progress {
        self.board.read()
    }
    /// Every event up to here is in the live generation's rows.
    pub fn checkpoint(&self) -> Sequence {
        self.progress().checkpoint
    }
    /// The log's last sequence number, as the projector last heard.
    pub fn head(&self) -> Sequence {
        self.progress().head
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
    /// model is when `timeout` is over.
    ///
    /// A token is a sequence number. One from before the log was restored from a backup may lie beyond the log's end, and
    /// then this says how far behind the read model is, until the log has grown past it: what was written under it is
    /// lost with what the backup did not have.
    pub async fn wait_for(&self, token: Sequence, timeout: Duration) -> Result<Reader, WaitError> {
        let begun = Instant::now();
        let mut news = self.board.subscribe();
        let arrived = |progress: &Progress| {
            use ProjectorState::{OtherHistory, Stopped};
            progress.checkpoint >= token || matches!(progress.state, Stopped { .. } | OtherHistory { .. })
        };
        // Waits for the board first: opening a view that cannot contain the token would be in vain.
        let waiting = async { news.wait_for(arrived).await.map(|progress| progress.clone()) };
        if let Ok(Ok(progress)) = tokio::time::timeout(timeout, waiting).await {
            if let Some(reason) = self.other_history(&progress).await? {
                return Err(WaitError::OtherHistory { reason });
            }
            if progress.checkpoint < token && matches!(progress.state, ProjectorState::Stopped { .. }) {
                return self.stopped(token).await;
            }
        }
        // What is live may be another generation than the board speaks of, if one was promoted just now; and the
        // board may not know what another process folded.
        self.readers.wait_for(token, timeout.saturating_sub(begun.elapsed())).await
    }

    /// Why no token can be waited for: what is live is of another history of the log, and contains other events. `None`:
    /// it is not, or something else is live by now.
    async fn other_history(&self, progress: &Progress) -> Result<Option<String>, ReaderError> {
        let ProjectorState::OtherHistory { generation, reason } = &progress.state else { return Ok(None) };
        let live = self.readers.reader().await?.generation();
        Ok((live == *generation).then(|| reason.clone()))
    }

    /// The projector has stopped; what another one folded may still be enough.
    async fn stopped(&self, token: Sequence) -> Result<Reader, WaitError> {
        match self.readers.wait_for(token, Duration::ZERO).await {
            Err(WaitError::Behind { .. }) => match self.progress().state {
                ProjectorState::Stopped { reason } => Err(WaitError::Stopped { reason }),
                _ => self.readers.wait_for(token, Duration::ZERO).await,
            },
            other => other,
        }
    }
}

impl fmt::Debug for ProjectorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProjectorHandle({:?}, {:?})", self.readers, self.progress())
    }
}
