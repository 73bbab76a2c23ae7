//! Keeps one generation up to date.

use super::{progress::Board, snapshots::SnapshotTaker};
use crate::{
    GenerationError, GenerationId, GenerationStatus, ModelName, ProjectorOptions,
    fold::{Folding, GenerationWriter, Step},
};
use annals_event::Sequence;
use annals_store::Backoff;
use annals_telemetry::Run;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Tends one generation.
pub(super) struct Tender {
    pub(super) id: GenerationId,
    pub(super) options: ProjectorOptions,
    /// Where to write the progress, if this is the live generation.
    pub(super) board: Option<Arc<Board>>,
    /// Takes snapshots, if this is the live generation.
    pub(super) snapshots: Option<SnapshotTaker>,
}

impl Tender {
    /// Folds until cancelled, or until something happens that does not pass by itself.
    pub(super) async fn run(mut self, cancel: CancellationToken) -> Result<(), GenerationError> {
        tokio::select! {
            ended = self.fold(cancel.clone()) => ended,
            () = cancel.cancelled() => Ok(()),
        }
    }

    async fn fold(&mut self, cancel: CancellationToken) -> Result<(), GenerationError> {
        let mut retry = Retry::new(&self.options, self.board.clone());
        let mut writer = loop {
            match self.claim().await {
                Ok(writer) => break writer,
                Err(error) if error.is_transient() => retry.pause(&error).await,
                Err(error) => return Err(error),
            }
        };
        loop {
            let ProjectorOptions { model, store, .. } = &self.options;
            let mut fold = Folding::start(model, store, &writer, Run::Live, Sequence::MAX);
            loop {
                let before = writer.status().applied.count;
                match fold.step(&mut writer, &cancel).await {
                    Ok(Step::Folded { head }) => {
                        retry.reset();
                        self.folded(writer.status(), before, head).await;
                    }
                    Ok(Step::Reached) => break,
                    Ok(Step::Cancelled) => return Ok(()),
                    Err(error) if error.is_transient() => retry.pause(&error.into()).await,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    async fn claim(&self) -> Result<GenerationWriter, GenerationError> {
        let ProjectorOptions { catalog, model, store, .. } = &self.options;
        GenerationWriter::claim(self.id, catalog, model, &**store).await
    }

    /// A batch was written, where `before` events had been applied.
    async fn folded(&mut self, status: &GenerationStatus, before: u64, head: Sequence) {
        if let Some(board) = &self.board {
            board.folded(status.applied.count.saturating_sub(before));
            board.heard(head);
            board.moved(status.checkpoint);
        }
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.consider(status).await;
        }
    }
}

/// Waits longer after each failure in a row, and says so once.
pub(super) struct Retry {
    read_model: ModelName,
    backoff: Backoff,
    board: Option<Arc<Board>>,
}

impl Retry {
    pub(super) fn new(options: &ProjectorOptions, board: Option<Arc<Board>>) -> Self {
        Self { read_model: options.model.name().clone(), backoff: Backoff::outage(), board }
    }

    pub(super) async fn pause(&mut self, error: &GenerationError) {
        if !self.backoff.has_begun() {
            warn!(read_model = %self.read_model, %error, "the read model is not folded now; trying again");
        }
        if let Some(board) = &self.board {
            board.set(error.waiting());
        }
        self.backoff.wait().await;
    }

    pub(super) fn reset(&mut self) {
        self.backoff = Backoff::outage();
    }
}
