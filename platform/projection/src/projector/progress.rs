//! The projector's side of its [`ConsumerState`](annals_store::ConsumerState): which generation it speaks of.

use crate::{GenerationError, GenerationId, ModelName, WaitError};
use annals_event::Sequence;
use annals_store::{Activity, ConsumerBoard, ConsumerState};
use parking_lot::Mutex;
use std::{ops::Deref, sync::Arc};
use tracing::error;

/// The live generation, shared with handles: with another one live, the state speaks of what was.
pub(super) type SharedGeneration = Arc<Mutex<GenerationId>>;

/// Where a projector writes its state.
pub(super) struct Board {
    read_model: ModelName,
    consumer: ConsumerBoard,
    generation: SharedGeneration,
}

impl Board {
    pub(super) fn new(read_model: ModelName, generation: GenerationId, checkpoint: Sequence) -> Self {
        let consumer = ConsumerBoard::new();
        consumer.place(checkpoint);
        Self { read_model, consumer, generation: Arc::new(Mutex::new(generation)) }
    }

    pub(super) fn generation(&self) -> SharedGeneration {
        self.generation.clone()
    }

    /// `generation` is live, with its checkpoint there.
    pub(super) fn bind(&self, generation: GenerationId, checkpoint: Sequence) {
        *self.generation.lock() = generation;
        self.consumer.place(checkpoint);
    }

    /// The live generation was folded from another history of the log.
    pub(super) fn refused(&self, live: GenerationId, error: &GenerationError) {
        let now = Activity::OtherHistory { reason: error.to_string() };
        if self.watch().state().activity != now {
            error!(read_model = %self.read_model, generation = %live, %error, "the store does not hold the log of these rows; they are served as they are");
        }
        self.set(now);
    }
}

impl Deref for Board {
    type Target = ConsumerBoard;
    fn deref(&self) -> &ConsumerBoard {
        &self.consumer
    }
}

/// The error for a caller who waited for `token` in vain. "Try again" is right only where this process folds.
pub(super) fn behind(state: &ConsumerState, token: Sequence, checkpoint: Sequence) -> WaitError {
    let by = token.get().saturating_sub(checkpoint.get());
    match &state.activity {
        Activity::NeedsReplay { reason }
        | Activity::OtherHistory { reason }
        | Activity::Stopped { reason } => {
            WaitError::NotFolded { token, checkpoint, by, reason: reason.clone() }
        }
        _ => WaitError::Behind { token, checkpoint, by },
    }
}
