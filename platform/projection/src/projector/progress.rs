use annals_event::Sequence;
use tokio::sync::watch;

/// Where a projector is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Every event up to here is in the live generation's rows.
    pub checkpoint: Sequence,
    /// The log's last sequence number, as the projector last heard.
    pub head: Sequence,
    /// What it does.
    pub state: ProjectorState,
}

/// What a projector does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProjectorState {
    /// It folds, or waits at the head.
    Running,
    /// It serves the live generation as it is and cannot fold it further.
    NeedsReplay {
        /// Why.
        reason: String,
    },
    /// Something that passes by itself keeps it from going on.
    Retrying {
        /// What.
        reason: String,
    },
    /// It is over.
    Stopped {
        /// Why.
        reason: String,
    },
}

impl Progress {
    pub(super) const fn starting(checkpoint: Sequence, head: Sequence) -> Self {
        Self { checkpoint, head, state: ProjectorState::Running }
    }
}

/// Where the projector writes its progress and its handles read it.
pub(super) struct ProgressBoard(watch::Sender<Progress>);

impl ProgressBoard {
    pub(super) fn new(progress: Progress) -> Self {
        Self(watch::Sender::new(progress))
    }
    pub(super) fn read(&self) -> Progress {
        self.0.borrow().clone()
    }
    pub(super) fn subscribe(&self) -> watch::Receiver<Progress> {
        self.0.subscribe()
    }
    pub(super) fn moved(&self, checkpoint: Sequence, head: Sequence) {
        self.0.send_modify(|progress| {
            progress.checkpoint = progress.checkpoint.max(checkpoint);
            progress.head = progress.head.max(head);
            progress.state = ProjectorState::Running;
        });
    }
    pub(super) fn set_state(&self, state: ProjectorState) {
        self.0.send_if_modified(|progress| {
            let changed = progress.state != state;
            progress.state = state;
            changed
        });
    }
}
