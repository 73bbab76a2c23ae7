use crate::{
    AppendError, Damage, Head, LogPage, ReadError, ReadLog, ReadStream, StreamPage, Subscribe, Subscription,
};
use annals_event::{Append, Fingerprint, MarkName, Receipt, Sequence, Timestamp};
use async_trait::async_trait;

/// What an adapter can do beyond what all must.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The adapter's name, for messages.
    pub name: String,
    /// Whether "answered means durable" holds against a power cut, not only against a killed process.
    pub durable: bool,
    /// Whether sequence numbers are dense. No consumer may rely on it; tools may show it.
    pub dense: bool,
}

impl Capabilities {
    /// An adapter of this name that is neither durable nor dense.
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), durable: false, dense: false }
    }
}

/// The shared log, as services see it. The crate's documentation says what every adapter keeps.
///
/// All reads see the log as it is when they are answered; an append that was answered before a read was made is
/// visible to it. Dropping a future never leaves half an append: it is done, or it is not.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// What the adapter can do.
    fn capabilities(&self) -> Capabilities;

    /// Writes events and sets marks, all or nothing, and answers when they are durable.
    async fn append(&self, append: Append) -> Result<Receipt, AppendError>;

    /// A page of one stream. A stream that does not exist has no events; that is not an error. Forward from a version
    /// that retention dropped is [`ReadError::BelowStart`]; backward ends where retention did.
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError>;

    /// A page of the log. Beyond the head it is empty.
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError>;

    /// All events from a sequence number: those that are there, then those that come.
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError>;

    /// Which log it is, and where it begins and ends.
    async fn head(&self) -> Result<Head, ReadError>;

    /// Whether appends are taken and reads answered, as far as that is known without trying: for health checks. An error
    /// says why they are not. A store that only answers reads, because its log stopped writing, is damaged or has no room on
    /// its disk, is not ready.
    async fn ready(&self) -> Result<(), ReadError> {
        self.head().await.map(drop)
    }

    /// Damage that does not keep appends from being taken, as far as it is known without looking: for health checks.
    fn damages(&self) -> Vec<Damage> {
        Vec::new()
    }

    /// What whoever runs the store should know although appends are taken, as far as it is known without looking: for health
    /// checks. Some appends may be refused for it.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Where a mark is; `None`: it was never set.
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError>;

    /// The first event recorded at `time` or later; when there is none, the place after the last event.
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError>;

    /// What tells this history of the log up to `at` from another: see [`check_same_log`](crate::check_same_log). `None`:
    /// the log does not reach so far, or the store keeps none.
    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        let _ = at;
        Ok(None)
    }
}
