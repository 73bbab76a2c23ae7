//! Where a consumer writes its state, and a view of it for others.

use super::{Activity, ConsumerState, LOG_POLL, in_time};
use crate::{EventStore, Head, ReadError, ReadLog};
use annals_event::{Sequence, Timestamp};
use std::{
    convert::Infallible,
    sync::{Arc, Weak},
    time::SystemTime,
};
use tokio::{sync::watch, time};

/// What the consumer says, and what was found out about the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    /// As the consumer itself says, except for `since`, which belongs to the activity that is shown.
    state: ConsumerState,
    /// What the consumer is waiting for while the log does not answer.
    away: Option<Activity>,
}

impl Told {
    fn activity(&self) -> Activity {
        match (&self.state.activity, &self.away) {
            (Activity::Starting | Activity::Running, Some(waiting)) => waiting.clone(),
            (activity, _) => activity.clone(),
        }
    }

    fn state(&self) -> ConsumerState {
        ConsumerState { activity: self.activity(), ..self.state.clone() }
    }

    /// A consumer that has stopped does nothing more.
    fn set(&mut self, activity: Activity) {
        if !self.state.is_stopped() {
            self.state.retries += u64::from(matches!(activity, Activity::Retrying { .. }));
            self.state.activity = activity;
        }
    }

    fn found(&mut self, found: Result<Found, ReadError>) {
        let state = &mut self.state;
        match found {
            Ok(Found { head, oldest }) => {
                (state.head, state.stale_since, self.away) = (head, None, None);
                state.oldest = oldest.or(state.oldest).filter(|_| state.position < head);
            }
            Err(error) => {
                state.stale_since.get_or_insert_with(SystemTime::now);
                self.away = Some(Activity::waiting_for(&error));
            }
        }
    }
}

/// Changes the state, and wakes whoever waits if that made a difference.
fn update(board: &watch::Sender<Told>, change: impl FnOnce(&mut Told)) {
    board.send_if_modified(|told| {
        let before = told.clone();
        change(told);
        if !told.activity().is_same_kind(&before.activity()) {
            told.state.since = SystemTime::now();
        }
        *told != before
    });
}

/// Where a consumer writes its state. It belongs to whatever runs the consumer: when it is dropped, the consumer has
/// stopped.
#[derive(Debug)]
pub struct ConsumerBoard {
    told: watch::Sender<Told>,
    /// As long as the board exists, somebody may ask for a view.
    watch: ConsumerWatch,
}

impl ConsumerBoard {
    /// The board of a consumer that is starting.
    pub fn new() -> Self {
        let (told, watch) = watch::channel(Told { state: ConsumerState::starting(), away: None });
        Self { told, watch: ConsumerWatch(watch) }
    }

    /// A view of the state for others.
    pub fn watch(&self) -> ConsumerWatch {
        self.watch.clone()
    }

    /// Where the consumer is.
    pub fn position(&self) -> Sequence {
        self.told.borrow().state.position
    }

    /// Sets what the consumer does. One that has stopped does nothing more.
    pub fn set(&self, activity: Activity) {
        update(&self.told, |told| told.set(activity));
    }

    /// Sets where the consumer is, which may be less than before.
    pub fn place(&self, position: Sequence) {
        update(&self.told, |Told { state, .. }| {
            if position < state.position {
                // What was known about the events that follow is not true here.
                state.oldest = None;
            }
            state.position = position;
        });
    }

    /// Notes that everything up to `position` is handled, so the consumer runs.
    pub fn moved(&self, position: Sequence) {
        update(&self.told, |told| {
            let before = told.state.position;
            told.state.handled += position.get().saturating_sub(before.get());
            told.state.position = position;
            if position >= told.state.head {
                told.state.oldest = None;
            }
            told.set(Activity::Running);
        });
    }

    /// Notes that a batch with so many events was folded into the live rows.
    pub fn folded(&self, events: u64) {
        update(&self.told, |Told { state, .. }| {
            state.folds += u64::from(events > 0);
            state.folded += events;
        });
    }

    /// Notes that the log reaches at least to `head`.
    pub fn heard(&self, head: Sequence) {
        update(&self.told, |told| told.state.head = told.state.head.max(head));
    }

    /// Keeps the log's head and the age up to date, and notices when the log does not answer. Run it beside the
    /// consumer; once it is dropped, the state says that they are no longer known.
    pub async fn follow_log(&self, store: &dyn EventStore) -> Infallible {
        let _followed = Followed(&self.told);
        loop {
            look(&self.told, store).await;
            time::sleep(LOG_POLL).await;
        }
    }

    /// Says that the consumer has ended in this process, for a reason that somebody must fix. The events that wait
    /// for that still increase, so from now on the log is followed in a task of its own, as long as the store and a
    /// view of the state exist; the task keeps neither alive. Call it within a Tokio runtime.
    pub fn failed(&self, reason: String, store: &Arc<dyn EventStore>) {
        self.set(Activity::Stopped { reason });
        tokio::spawn(follow_for_views(self.told.clone(), Arc::downgrade(store)));
    }
}

async fn follow_for_views(told: watch::Sender<Told>, store: Weak<dyn EventStore>) {
    let _followed = Followed(&told);
    while let Some(store) = store.upgrade().filter(|_| !told.is_closed()) {
        look(&told, &*store).await;
        drop(store);
        time::sleep(LOG_POLL).await;
    }
}

/// The log is asked for its head as long as this exists.
struct Followed<'a>(&'a watch::Sender<Told>);

impl Drop for Followed<'_> {
    fn drop(&mut self) {
        update(self.0, |told| {
            told.state.stale_since.get_or_insert_with(SystemTime::now);
        });
    }
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

/// A view of a consumer's state for others. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct ConsumerWatch(watch::Receiver<Told>);

impl ConsumerWatch {
    /// The state.
    pub fn state(&self) -> ConsumerState {
        self.0.borrow().state()
    }

    /// Waits for a state that `wanted` accepts, or for the end of the consumer.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&ConsumerState) -> bool) -> ConsumerState {
        let mut news = self.0.clone();
        let over = |told: &Told| told.state.is_stopped() || wanted(&told.state());
        let found = news.wait_for(over).await.map(|told| told.state());
        // A board that is gone has noted that the consumer has stopped.
        found.unwrap_or_else(|_| self.state())
    }
}

/// What the log says about a consumer.
struct Found {
    /// The last sequence number.
    head: Sequence,
    /// When the first event after the consumer's position was recorded; `None`: there is none, or it cannot be read.
    oldest: Option<Timestamp>,
}

async fn look(told: &watch::Sender<Told>, store: &dyn EventStore) {
    let position = told.borrow().state.position;
    let found = find(store, position).await;
    update(told, |told| told.found(found));
}

async fn find(store: &dyn EventStore, position: Sequence) -> Result<Found, ReadError> {
    let Head { first, last, .. } = in_time(store.head()).await?;
    if position >= last {
        return Ok(Found { head: last, oldest: None });
    }
    let one = ReadLog { events_max: 1, bytes_max: 1, ..ReadLog::from(position.next().max(first)) };
    // The head was read. If this event cannot be, it is for the consumer to find out and to say.
    let page = in_time(store.read_log(one)).await.ok();
    let oldest = page.and_then(|page| page.events.first().map(|event| event.recorded_at()));
    Ok(Found { head: last, oldest })
}
