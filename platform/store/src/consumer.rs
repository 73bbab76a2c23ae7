//! What a consumer of the log says of itself: one form for projectors, reactors and subscriptions in user code.
//!
//! What always holds:
//!
//! * What is said is true of what is live *now*. A position goes back when a generation with less is made live, and a head
//!   when the log was restored from a backup.
//! * The head and the age are the log's own, looked up every [`LOG_POLL`], also after the consumer failed; what was last
//!   delivered is not taken for the head. While they are not known, [`ConsumerState::stale_since`] says so.
//! * A log that does not answer within [`PROBE_TIME_MAX`] is told as [`Activity::Retrying`], also while the consumer itself
//!   waits for an answer that does not come.
//! * A consumer that is dropped, aborted or panics has stopped, and says so.

mod board;

pub use board::{ConsumerBoard, ConsumerWatch};

use crate::{EventStore, Head, ReadError};
use annals_event::{Sequence, Timestamp};
use std::{
    fmt, mem,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time;

/// How often the log's head is looked up for the state of a consumer. One small question each time, and one more while
/// the consumer is behind.
pub const LOG_POLL: Duration = Duration::from_millis(500);
/// How long the log may take to answer that before it counts as away.
pub const PROBE_TIME_MAX: Duration = Duration::from_secs(1);

/// What a consumer does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It does not follow the log yet. Nothing is to be done, unless it stays so: then nobody has called its `run`.
    Starting,
    /// It follows the log, or waits at its head. Nothing is to be done; if it falls further and further behind, it has too
    /// much to do.
    Running,
    /// Something that passes by itself keeps it from going on. Nothing is lost. Look after what the reason names.
    Retrying {
        /// What.
        reason: String,
    },
    /// What is live is served as it is and not continued by this program, since another fold made it. Request a replay,
    /// or start a program with the fold that made it.
    NeedsReplay {
        /// Why.
        reason: String,
    },
    /// What is live is served as it is and nothing is written, since it was made of another log than the store holds, or of
    /// what the log was before it was restored from a backup. Connect to the right store, or request a replay.
    OtherHistory {
        /// How they differ, and what to do.
        reason: String,
    },
    /// It is over in this process. Mend what the reason names and start it again; if the reason is that another process
    /// has taken over, that one goes on.
    Stopped {
        /// Why.
        reason: String,
    },
}

impl Activity {
    /// The activity in one word, the same for programs as for people.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Retrying { .. } => "retrying",
            Self::NeedsReplay { .. } => "needs_replay",
            Self::OtherHistory { .. } => "other_history",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Why a person may have to do something; `None`: nobody has.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Starting | Self::Running => None,
            Self::Retrying { reason }
            | Self::NeedsReplay { reason }
            | Self::OtherHistory { reason }
            | Self::Stopped { reason } => Some(reason),
        }
    }

    /// What a consumer does that waits for `error` to pass.
    pub fn waiting_for(error: &ReadError) -> Self {
        Self::waiting(error.to_string(), matches!(error, ReadError::OtherLog { .. }))
    }

    /// The same where the store's error is within another one.
    pub const fn waiting(reason: String, is_other_log: bool) -> Self {
        if is_other_log { Self::OtherHistory { reason } } else { Self::Retrying { reason } }
    }

    fn is_same_kind(&self, other: &Self) -> bool {
        mem::discriminant(self) == mem::discriminant(other)
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str(self.word()),
            Some(reason) => write!(f, "{}: {reason}", self.word()),
        }
    }
}

/// The state of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerState {
    /// What it does.
    pub activity: Activity,
    /// Since when it does that: when the activity last became another one. A reason may have changed in between.
    pub since: SystemTime,
    /// Every wanted event up to here is handled: it is in the rows that are live, or its outputs are in the log.
    pub position: Sequence,
    /// The log's last sequence number, at most [`LOG_POLL`] old unless it is stale.
    pub head: Sequence,
    /// Since when the head and the age are not known: `head` and `oldest` are what they were then. The log does not answer, or
    /// nobody asks it, since the consumer has not begun, was shut down or was aborted. `None`: they are known.
    pub stale_since: Option<SystemTime>,
    /// When the first event behind `position` was recorded, whether the consumer wants it or not: everything that was
    /// recorded before is handled. `None`: nothing is behind it. A consumer that wants few events moves over the others as
    /// soon as it is told that they are not for it, so this is how old its answers are, and not how much work waits.
    pub oldest: Option<Timestamp>,
}

impl ConsumerState {
    fn starting() -> Self {
        let now = SystemTime::now();
        Self {
            activity: Activity::Starting,
            since: now,
            position: Sequence::ZERO,
            head: Sequence::ZERO,
            stale_since: Some(now),
            oldest: None,
        }
    }

    /// How many sequence numbers the consumer is behind the log: of a dense log as many events, wanted or not.
    pub const fn lag(&self) -> u64 {
        self.head.get().saturating_sub(self.position.get())
    }

    /// How long ago the first event behind the position was recorded, by this machine's clock. Zero: nothing is behind it.
    pub fn age(&self) -> Duration {
        let Some(oldest) = self.oldest else { return Duration::ZERO };
        let recorded = Duration::from_micros(u64::try_from(oldest.as_micros()).unwrap_or(0));
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(recorded)
    }

    fn is_stopped(&self) -> bool {
        matches!(self.activity, Activity::Stopped { .. })
    }
}

/// The log's head, or why the store is not ready, also when it does not answer within [`PROBE_TIME_MAX`]: for health, which
/// must not wait as long as a request may.
pub async fn probe(store: &dyn EventStore) -> Result<Head, ReadError> {
    in_time(async {
        store.ready().await?;
        store.head().await
    })
    .await
}

async fn in_time<T>(answer: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    let late = || ReadError::Unavailable { reason: format!("no answer within {PROBE_TIME_MAX:?}") };
    time::timeout(PROBE_TIME_MAX, answer).await.unwrap_or_else(|_| Err(late()))
}
