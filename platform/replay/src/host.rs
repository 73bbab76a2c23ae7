//! What a replay needs of the read model that it rebuilds.

use crate::{Difference, Garbage, Plan};
use annals_event::Sequence;
use async_trait::async_trait;
use std::{any::Any, fmt};
use tokio_util::sync::CancellationToken;

/// A read model that this process hosts, as a replay sees it. Generations are named by their ids.
///
/// Every call may be repeated, also after a kill in the middle of it: it then goes on, or finds its work done.
#[async_trait]
pub trait ReadModelHost: Send + Sync + 'static {
    /// The read model's name.
    fn read_model(&self) -> &str;

    /// Takes the right to carry out replays of the read model; `None`: another worker has it, here or in another
    /// process. It is given back when the lease is dropped, and when the process ends in whatever way.
    async fn lease(&self) -> Result<Option<Lease>, HostError>;

    /// What a replay from `from` on would do. Touches nothing.
    async fn plan(&self, from: Sequence) -> Result<Plan, HostError>;

    /// Makes the generation `candidate`, from the plan's snapshot or empty. Returns the last sequence number in it.
    async fn restore(&self, candidate: &str, plan: &Plan) -> Result<Sequence, HostError>;

    /// Folds the log into the candidate up to `until`, or until cancelled. Returns the last sequence number in it.
    async fn fold(
        &self,
        candidate: &str,
        until: Sequence,
        cancel: &CancellationToken,
    ) -> Result<Sequence, HostError>;

    /// The last sequence number in the live generation, or in the log if that is restored from a backup and ends before.
    async fn live_checkpoint(&self) -> Result<Sequence, HostError>;

    /// The last sequence number in the generation, as its control row has it; `None`: there is no such generation.
    async fn checkpoint(&self, generation: &str) -> Result<Option<Sequence>, HostError>;

    /// Proves the candidate complete against the log, and compares it with the live generation at the same
    /// sequence number. An incomplete candidate is a [`HostError::Failed`].
    async fn verify(&self, candidate: &str, cancel: &CancellationToken) -> Result<Difference, HostError>;

    /// Proves that the candidate can be folded on to `through`, and leaves it where it is: the live generation may stand
    /// before an event that today's code cannot fold either, and then nothing was gained by the replay. An event that cannot be
    /// folded is a [`HostError::Failed`] that names it.
    async fn rehearse(
        &self,
        candidate: &str,
        through: Sequence,
        cancel: &CancellationToken,
    ) -> Result<(), HostError>;

    /// Makes the candidate live: fences the live writer, folds what is missing, flips the pointer.
    async fn promote(&self, candidate: &str) -> Result<Promotion, HostError>;

    /// Makes `former` live again in place of `candidate`. Returns how many sequence numbers it is behind the log.
    async fn roll_back(&self, candidate: &str, former: &str) -> Result<u64, HostError>;

    /// Gives up a generation that is not live. One that is not there is given up already.
    async fn discard(&self, garbage: Garbage<'_>) -> Result<(), HostError>;
}

/// The right to carry out replays of one read model: whatever a host holds for it, given back when it is dropped.
pub struct Lease(Box<dyn Any + Send>);

impl Lease {
    /// A lease that is held for as long as `held` is.
    pub fn new(held: impl Any + Send) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.0).finish()
    }
}

/// What a promotion did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The generation that was live before; `None`: it was given up meanwhile.
    pub replaced: Option<String>,
    /// The last sequence number in the candidate when it became live.
    pub checkpoint: Sequence,
}

/// Why a read model's host did not do a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// It may work when it is tried again: a database is away, the event store does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// Trying again changes nothing: the replay has failed.
    #[error("{0}")]
    Failed(String),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}
