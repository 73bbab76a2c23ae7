use crate::{GenerationError, GenerationId};
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
    /// It serves the live generation as it is and writes nothing, since the log was restored from a backup and is not the
    /// one any more that the generation was folded from. A replay builds one from the log as it is.
    OtherHistory {
        /// The generation.
        generation: GenerationId,
        /// How they differ, and what to do.
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
            if matches!(progress.state, ProjectorState::OtherHistory { .. }) {
                // What was known is of another log.
                (progress.checkpoint, progress.head) = (Sequence::ZERO, Sequence::ZERO);
            }
            progress.checkpoint = progress.checkpoint.max(checkpoint);
            progress.head = progress.head.max(head);
            progress.state = ProjectorState::Running;
        });
    }
    /// The generation is of another history of the log.
    pub(super) fn refused(&self, generation: GenerationId, error: &GenerationError) {
        self.set_state(ProjectorState::OtherHistory { generation, reason: error.to_string() });
    }
    pub(super) fn set_state(&self, state: ProjectorState) {
        self.0.send_if_modified(|progress| {
            let changed = progress.state != state;
            progress.state = state;
            changed
        });
    }
}
