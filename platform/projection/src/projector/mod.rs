//! The worker that keeps a read model up to date.
//!
//! * It tends the live and the previous generation, each on its own subscription, if the program's own fold made their rows.
//! * A live generation of another fold version with the same tables is served as it is and not folded further. A replay builds
//!   one that can be; once that is promoted, the projector continues with it.
//! * A live generation of another log, or of another history of the log, is served as it is and not written. Whoever waits for a
//!   token in it is told so, and a replay rebuilds it from the log as it is. This is checked when the generation is opened and
//!   whenever the log is subscribed to.
//! * If the read model's rows are deleted or replaced while they are served, the projector notices within
//!   [`POINTER_POLL`](supervise::POINTER_POLL) and rebuilds the read model from the log.
//! * An outage (a busy or full database, a store that is away) is waited for, and nothing is lost by it. Any other error stops
//!   the projector, and the read model keeps the rows that it had.

mod error;
mod first;
mod handle;
mod options;
mod progress;
mod snapshots;
mod supervise;
mod tend;

pub use error::ProjectorError;
pub use handle::ProjectorHandle;
pub use options::{OnError, ProjectorOptions};

use crate::{
    GenerationError, GenerationId, GenerationStatus, Readers,
    backend::{Slot, Target},
    fold::check_log,
};
use annals_store::Activity;
use first::find_or_create;
use progress::Board;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Folds the log into a read model for as long as it runs.
pub struct Projector {
    options: ProjectorOptions,
    readers: Readers,
    board: Arc<Board>,
}

impl Projector {
    /// Finds the live generation of the read model, or makes the first one. The first generation is live at once:
    /// readers see it fill, and [`ProjectorHandle::wait_for`] says how far behind it is.
    pub async fn open(options: ProjectorOptions) -> Result<Self, ProjectorError> {
        let id = find_or_create(&options).await?.generation;
        let status = status(&options, id).await?;
        let board = Arc::new(Board::new(options.model.name().clone(), id, status.checkpoint));
        match check_log(&*options.store, id, &status).await.map_err(GenerationError::from) {
            Err(error) if error.log_mismatch().is_some() => board.refused(id, &error),
            checked => checked?,
        }
        let readers = Readers::new(options.catalog.clone(), options.model.clone());
        Ok(Self { options, readers, board })
    }

    /// A handle to it.
    pub fn handle(&self) -> ProjectorHandle {
        ProjectorHandle::new(self.readers.clone(), self.board.watch(), self.board.generation())
    }

    /// Folds until `cancel` is cancelled, or until something happens that does not pass by itself.
    pub async fn run(self, cancel: CancellationToken) -> Result<(), ProjectorError> {
        let ended = tokio::select! {
            ended = supervise::Supervisor::new(&self).run(cancel) => ended,
            never = self.board.follow_log(&*self.options.store) => match never {},
        };
        match &ended {
            Ok(()) => self.board.set(Activity::Stopped { reason: "it was shut down".to_owned() }),
            Err(error) => self.board.failed(error.outline(), &self.options.store),
        }
        ended
    }
}

/// What a generation of the read model says of itself.
async fn status(options: &ProjectorOptions, id: GenerationId) -> Result<GenerationStatus, GenerationError> {
    let ProjectorOptions { catalog, model, .. } = options;
    Ok(catalog.backend().view(&Slot::of(model), Target::Generation(id)).await?.status().clone())
}
