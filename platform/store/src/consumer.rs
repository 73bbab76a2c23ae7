//! What a consumer of the log says about itself: one form for projectors, reactors and subscriptions in user code.
//!
//! What always holds:
//!
//! * The state describes what is live *now*. A position goes back when a generation that has folded less is made
//!   live, and a head when the log is restored from a backup.
//! * The head and the age are the log's own, looked up every [`LOG_POLL`], even after the consumer failed; the last
//!   delivery is not taken for the head. While they are not known, [`ConsumerState::stale_since`] says so.
//! * A log that does not answer within [`PROBE_TIME_MAX`] shows as [`Activity::Retrying`], even while the consumer
//!   itself is waiting for an answer.
//! * A consumer that is dropped, aborted or panics has stopped, and its state says so.

mod board;

pub use board::{ConsumerBoard, ConsumerWatch};

use crate::{EventStore, Head, ReadError};
use annals_event::{Sequence, Timestamp};
use std::{
    fmt, mem,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time;

/// How often the log's head is looked up for the state of a consumer: one small request each time, and another one
/// while the consumer is behind.
pub const LOG_POLL: Duration = Duration::from_millis(500);
/// How long the log may take to answer before it counts as away.
pub const PROBE_TIME_MAX: Duration = Duration::from_secs(1);

/// What a consumer does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It does not follow the log yet. There is nothing to do, unless it stays so: then nobody has called its `run`.
    Starting,
    /// It follows the log, or waits at its head. There is nothing to do; if it falls further and further behind, it
    /// has too much work.
    Running,
    /// Something that passes by itself keeps it from going on. Nothing is lost. Look into what the reason names.
    Retrying {
        /// What.
        reason: String,
    },
    /// What is live is served as it is and not continued by this program, because another fold made it. Request a
    /// replay, or start a program with the fold that made it.
    NeedsReplay {
        /// Why.
        reason: String,
    },
    /// What is live is served as it is and nothing is written, because it was made from another log than the store
    /// holds, or from the log before it was restored from a backup. Connect to the right store, or request a replay.
    OtherHistory {
        /// How they differ and what to do.
        reason: String,
    },
    /// It has ended in this process. Fix what the reason names and start it again. If the reason is that another
    /// process has taken over, that one goes on.
    Stopped {
        /// Why.
        reason: String,
    },
}

impl Activity {
    /// The activity in one word, the same for programs and people.
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

    /// Why somebody may have to act; `None`: nobody has to.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Starting | Self::Running => None,
            Self::Retrying { reason }
            | Self::NeedsReplay { reason }
            | Self::OtherHistory { reason }
            | Self::Stopped { reason } => Some(reason),
        }
    }

    /// The activity of a consumer that waits for `error` to pass.
    pub fn waiting_for(error: &ReadError) -> Self {
        Self::waiting(error.to_string(), matches!(error, ReadError::OtherLog { .. }))
    }

    /// The same where the store's error is inside another one.
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
    /// Since when it does that: when the activity last changed. The reason may have changed since.
    pub since: SystemTime,
    /// Every wanted event up to here is handled: it is in the live rows, or its outputs are in the log.
    pub position: Sequence,
    /// The log's last sequence number, at most [`LOG_POLL`] old unless it is stale.
    pub head: Sequence,
    /// Since when the head and the age are not known; `head` and `oldest` are what they were then. Either the log
    /// does not answer, or nobody asks it because the consumer has not begun, was shut down or was aborted. `None`:
    /// they are known.
    pub stale_since: Option<SystemTime>,
    /// When the first event after `position` was recorded, whether or not the consumer wants it: everything recorded
    /// before is handled. `None`: there is no such event. A consumer that wants few events moves past the others as
    /// soon as it is told about them, so this says how old its answers are, not how much work is waiting.
    pub oldest: Option<Timestamp>,
    /// How many sequence numbers it has moved over since it began: in a dense log the number of events, wanted or not.
    pub handled: u64,
    /// How many times it has had to wait for something to pass since it began.
    pub retries: u64,
    /// How many batches of events a read model has folded since it began, each in one transaction.
    pub folds: u64,
    /// How many events were in them.
    pub folded: u64,
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
            handled: 0,
            retries: 0,
            folds: 0,
            folded: 0,
        }
    }

    /// How many sequence numbers the consumer is behind the log: in a dense log the number of events, wanted or not.
    pub const fn lag(&self) -> u64 {
        self.head.get().saturating_sub(self.position.get())
    }

    /// How long ago the first event after the position was recorded, by this machine's clock. Zero: there is none.
    pub fn age(&self) -> Duration {
        let Some(oldest) = self.oldest else { return Duration::ZERO };
        let recorded = Duration::from_micros(u64::try_from(oldest.as_micros()).unwrap_or(0));
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(recorded)
    }

    fn is_stopped(&self) -> bool {
        matches!(self.activity, Activity::Stopped { .. })
    }
}

/// The log's head, or why the store is not ready, which includes not answering within [`PROBE_TIME_MAX`]. For health
/// checks, which must not wait as long as a request may.
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
