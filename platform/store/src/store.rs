use crate::{
    AppendError, Damage, Head, LogPage, ReadError, ReadLog, ReadStream, StreamPage, Subscribe, Subscription,
};
use annals_event::{Append, Fingerprint, MarkName, Receipt, Sequence, Timestamp};
use async_trait::async_trait;

/// What an adapter can do beyond what every adapter must.
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

/// The shared log, as services see it. The crate's documentation says what every adapter guarantees.
///
/// All reads see the log as it is when they are answered; an append that was answered before a read began is visible
/// to it. Dropping a future never leaves half an append: it is either done or not.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// What the adapter can do.
    fn capabilities(&self) -> Capabilities;

    /// Writes events and sets marks, all or nothing, and answers when they are durable.
    async fn append(&self, append: Append) -> Result<Receipt, AppendError>;

    /// A page of one stream. A stream that does not exist has no events; that is not an error. Reading forward from a
    /// version that retention dropped is [`ReadError::BelowStart`]; reading backward ends where retention did.
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError>;

    /// A page of the log. Beyond the head it is empty.
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError>;

    /// All events from a sequence number: those that are there, then those that come.
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError>;

    /// Which log it is, and where it begins and ends.
    async fn head(&self) -> Result<Head, ReadError>;

    /// Whether appends are accepted and reads answered, as far as is known without trying: for health checks. An
    /// error says why not. A store that only answers reads, because its log stopped writing, is damaged or has no
    /// room on its disk, is not ready.
    async fn ready(&self) -> Result<(), ReadError> {
        self.head().await.map(drop)
    }

    /// Damage despite which appends are accepted, as far as is known without looking: for health checks.
    fn damages(&self) -> Vec<Damage> {
        Vec::new()
    }

    /// What an operator should know although appends are accepted, as far as is known without looking: for health
    /// checks. Some appends may be refused because of it.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Where a mark is; `None`: it was never set.
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError>;

    /// The first event recorded at `time` or later; if there is none, the place after the last event.
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError>;

    /// What tells this history of the log up to `at` apart from another: see
    /// [`check_same_log`](crate::check_same_log). `None`: the log does not reach that far, or the store keeps none.
    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        let _ = at;
        Ok(None)
    }
}
