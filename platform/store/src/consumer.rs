//! What a consumer of the log says of itself: one form for projectors, reactors and subscriptions in user code.
//!
//! What always holds:
//!
//! * What is said is true of what is live *now*. A position goes back when a generation with less is made live, and a head
//!   when the log was restored from a backup.
//! * The head and the age are the log's own, looked up every [`LOG_POLL`]; what was last delivered is not taken for
//!   the head. A log that does not answer within [`PROBE_TIME_MAX`] is told as [`Activity::Retrying`], also while the
//!   consumer itself waits for an answer that does not come.
//! * A consumer that is dropped, aborted or panics has stopped, and says so.

use crate::{EventStore, Head, ReadError, ReadLog};
use annals_event::{Sequence, Timestamp};
use std::{
    convert::Infallible,
    fmt, mem,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, time};

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
    /// Since when it does that. A reason may have changed in between.
    pub since: SystemTime,
    /// Every wanted event up to here is handled: it is in the rows that are live, or its outputs are in the log.
    pub position: Sequence,
    /// The log's last sequence number, at most [`LOG_POLL`] old while the log answers.
    pub head: Sequence,
    /// When the first event behind `position` was recorded, whether the consumer wants it or not: everything that was
    /// recorded before is handled. `None`: nothing is behind it. A consumer that wants few events moves over the others as
    /// soon as it is told that they are not for it, so this is how old its answers are, and not how much work waits.
    pub oldest: Option<Timestamp>,
}

impl ConsumerState {
    fn starting() -> Self {
        Self {
            activity: Activity::Starting,
            since: SystemTime::now(),
            position: Sequence::ZERO,
            head: Sequence::ZERO,
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

    fn change(&mut self, activity: Activity) {
        if !self.activity.is_same_kind(&activity) {
            self.since = SystemTime::now();
        }
        self.activity = activity;
    }
}

/// What the consumer says, and what was found about the log beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    state: ConsumerState,
    /// Since when the log does not answer, and what the consumer waits for.
    away: Option<(SystemTime, Activity)>,
}

impl Told {
    fn state(&self) -> ConsumerState {
        let mut state = self.state.clone();
        if let (Activity::Starting | Activity::Running, Some((since, waiting))) =
            (&state.activity, &self.away)
        {
            (state.activity, state.since) = (waiting.clone(), *since);
        }
        state
    }
}

/// Where a consumer writes its state. It belongs to what runs the consumer: when it is dropped, the consumer has stopped.
#[derive(Debug)]
pub struct ConsumerBoard(watch::Sender<Told>);

impl ConsumerBoard {
    /// The board of a consumer that is starting.
    pub fn new() -> Self {
        Self(watch::Sender::new(Told { state: ConsumerState::starting(), away: None }))
    }

    /// A view of the state from outside.
    pub fn watch(&self) -> ConsumerWatch {
        ConsumerWatch(self.0.subscribe())
    }

    /// Where the consumer is.
    pub fn position(&self) -> Sequence {
        self.0.borrow().state.position
    }

    /// Says what the consumer does. What has stopped does nothing more.
    pub fn set(&self, activity: Activity) {
        self.0.send_if_modified(|Told { state, .. }| {
            let changes = state.activity != activity && !is_stopped(state);
            if changes {
                state.change(activity);
            }
            changes
        });
    }

    /// Says where the consumer is, which may be less than before.
    pub fn place(&self, position: Sequence) {
        self.0.send_if_modified(|Told { state, .. }| {
            if position < state.position {
                // What was known of the events behind is not true of these.
                state.oldest = None;
            }
            mem::replace(&mut state.position, position) != position
        });
    }

    /// Says that everything up to `position` is handled, so the consumer runs.
    pub fn moved(&self, position: Sequence) {
        self.0.send_modify(|Told { state, .. }| {
            state.position = position;
            if position >= state.head {
                state.oldest = None;
            }
            if !is_stopped(state) {
                state.change(Activity::Running);
            }
        });
    }

    /// Says that the log goes to `head` at least.
    pub fn heard(&self, head: Sequence) {
        self.0.send_if_modified(|Told { state, .. }| {
            let news = head > state.head;
            state.head = state.head.max(head);
            news
        });
    }

    /// Keeps the log's head and the age true, and notices when the log does not answer. To be run beside the consumer.
    pub async fn follow_log(&self, store: &dyn EventStore) -> Infallible {
        loop {
            let found = look(store, self.position()).await;
            self.0.send_if_modified(|told| {
                let before = told.clone();
                match found {
                    Ok((head, oldest)) => {
                        (told.state.head, told.away) = (head, None);
                        told.state.oldest = oldest.filter(|_| told.state.position < head);
                    }
                    Err(error) => {
                        let since = told.away.take().map_or_else(SystemTime::now, |(since, _)| since);
                        told.away = Some((since, Activity::waiting_for(&error)));
                    }
                }
                *told != before
            });
            time::sleep(LOG_POLL).await;
        }
    }
}

fn is_stopped(state: &ConsumerState) -> bool {
    matches!(state.activity, Activity::Stopped { .. })
}

impl Default for ConsumerBoard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ConsumerBoard {
    fn drop(&mut self) {
        let reason =
            "its task was aborted, panicked or was never run; what it had handled stays handled".to_owned();
        self.set(Activity::Stopped { reason });
    }
}

/// A view of a consumer's state from outside. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct ConsumerWatch(watch::Receiver<Told>);

impl ConsumerWatch {
    /// The state.
    pub fn state(&self) -> ConsumerState {
        self.0.borrow().state()
    }

    /// Waits for a state that `wanted` accepts, or for the consumer's end.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&ConsumerState) -> bool) -> ConsumerState {
        let mut news = self.0.clone();
        let found = news.wait_for(|told| wanted(&told.state())).await.map(|told| told.state());
        // An error means that the board is gone, and what it said last is the end.
        found.unwrap_or_else(|_| self.state())
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

/// The log's last sequence number, and when the first event behind `position` was recorded.
async fn look(
    store: &dyn EventStore,
    position: Sequence,
) -> Result<(Sequence, Option<Timestamp>), ReadError> {
    let Head { first, last, .. } = in_time(store.head()).await?;
    if position >= last {
        return Ok((last, None));
    }
    let one = ReadLog { events_max: 1, bytes_max: 1, ..ReadLog::from(position.next().max(first)) };
    // The head was there. If this event cannot be read, that is for the consumer to find and to say.
    let oldest = in_time(store.read_log(one)).await.ok();
    Ok((last, oldest.and_then(|page| page.events.first().map(|event| event.recorded_at()))))
}

async fn in_time<T>(answer: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    let late = || ReadError::Unavailable { reason: format!("no answer within {PROBE_TIME_MAX:?}") };
    time::timeout(PROBE_TIME_MAX, answer).await.unwrap_or_else(|_| Err(late()))
}
