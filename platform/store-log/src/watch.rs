//! One look at what is new in the log, on behalf of everybody who waits for some of it.
//!
//! What always holds:
//!
//! * The log's writer wakes one thread, however many wait; that thread wakes those for whom there is an event.
//! * The cost of a look grows with the new events and the number of different filters, not with the number of names
//!   in them.
//! * No event is missed: one that was readable before a waiter came ends its wait at once, and a later one is looked
//!   at.
//! * Nothing is read from the disk: if what is new is no longer in memory, everybody is woken and looks for
//!   themselves.
//! * A watch does not keep the log from being closed, and ends with the last handle to the store.

use annals_event::Sequence;
use annals_log::{HeadWait, HeadWatch, ReadBlock, ReadBudget};
use annals_store::{Filter, Matcher};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    sync::{
        Arc, Weak,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};
use tokio::sync::oneshot;

/// How much of what is new is looked at in one go.
const LOOK: ReadBudget = ReadBudget { bytes_max: 1 << 20, events_max: 10_000 };

/// Ends the wait of everybody who wants an event that has come.
pub(crate) struct Watch(Arc<Shared>);

struct Shared {
    head: HeadWatch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    waiting: Waiting,
    /// Everything up to here was looked at or is being looked at. Means nothing while nothing is asked of the log.
    looked: Sequence,
    /// The log has been asked to say when there is more than what was looked at.
    asked: Option<HeadWait>,
    /// To the thread that looks; `None`: it was not started yet.
    signals: Option<Sender<Signal>>,
}

/// Those who wait, by what they want: with 500 waiters for the same filter, an event is compared once.
type Waiting = HashMap<Arc<Filter>, Waiters>;

/// Those who want the same.
struct Waiters {
    wanted: Matcher,
    wakes: HashMap<u64, oneshot::Sender<()>>,
}

/// What the log says.
enum Signal {
    Grown,
    /// There will be nothing more.
    Ended,
}

/// A wait for an event. Dropping it ends the wait.
pub(crate) struct Wait {
    watch: Arc<Shared>,
    filter: Arc<Filter>,
    id: u64,
    woken: oneshot::Receiver<()>,
}

impl Watch {
    pub(crate) fn new(head: HeadWatch) -> Self {
        Self(Arc::new(Shared { head, state: Mutex::default() }))
    }

    /// A wait for an event past `through` that `filter` accepts; `None`: there may be one already.
    pub(crate) fn wait(&self, through: Sequence, filter: &Filter) -> io::Result<Option<Wait>> {
        // Work in proportion to the filter is done before taking the lock, for which others wait.
        let (filter, wanted) = (Arc::new(filter.clone()), filter.matcher());
        let mut state = self.0.state.lock();
        let signals = match &state.signals {
            Some(signals) => signals.clone(),
            None => state.signals.insert(start(&self.0)?).clone(),
        };
        if state.asked.is_none() {
            state.looked = self.0.head.reader().head();
            state.asked = Some(self.0.ask(state.looked, signals));
        }
        if state.looked > through {
            return Ok(None);
        }
        let (wake, woken) = oneshot::channel();
        state.next_id += 1;
        let id = state.next_id;
        let waiters = || Waiters { wanted, wakes: HashMap::new() };
        state.waiting.entry(filter.clone()).or_insert_with(waiters).wakes.insert(id, wake);
        Ok(Some(Wait { watch: self.0.clone(), filter, id, woken }))
    }
}

impl Wait {
    /// Waits until there may be such an event; `false`: there will be none, because the log has ended.
    pub(crate) async fn woken(mut self) -> bool {
        (&mut self.woken).await.is_ok()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // First this, then the lock: a waiter for whom the thread is looking right now is not put back.
        self.woken.close();
        let mut state = self.watch.state.lock();
        if let Some(waiters) = state.waiting.get_mut(&self.filter) {
            waiters.wakes.remove(&self.id);
            if waiters.wakes.is_empty() {
                state.waiting.remove(&self.filter);
            }
        }
    }
}

/// Starts the thread that looks.
fn start(shared: &Arc<Shared>) -> io::Result<Sender<Signal>> {
    let (signals, received) = mpsc::channel();
    let shared = Arc::downgrade(shared);
    thread::Builder::new().name("annals-log-watch".into()).spawn(move || look_on(&shared, &received))?;
    Ok(signals)
}

/// Looks whenever the log has grown, until the watch is gone.
fn look_on(shared: &Weak<Shared>, signals: &Receiver<Signal>) {
    while let Ok(signal) = signals.recv() {
        let Some(shared) = shared.upgrade() else { return };
        match signal {
            Signal::Grown => shared.look(),
            Signal::Ended => shared.end(),
        }
    }
}

impl Shared {
    /// Asks the log to say when there is more than `looked`.
    fn ask(&self, looked: Sequence, signals: Sender<Signal>) -> HeadWait {
        let signal = Signaller(Some(signals));
        self.head.on_head(looked, Box::new(move |_| signal.grown()))
    }

    fn look(&self) {
        let (mut waiting, from) = {
            let mut state = self.state.lock();
            let asked = state.asked.take();
            if state.waiting.is_empty() {
                return;
            }
            let from = state.looked.next();
            state.looked = self.head.reader().head();
            state.asked = state.signals.clone().map(|signals| self.ask(state.looked, signals));
            drop(asked);
            (std::mem::take(&mut state.waiting), from)
        };
        self.wake(&mut waiting, from);
        let mut state = self.state.lock();
        waiting.retain(|_, waiters| {
            waiters.wakes.retain(|_, wake| !wake.is_closed());
            !waiters.wakes.is_empty()
        });
        // Of the two, those who came in the meantime are fewer.
        for (filter, came) in std::mem::replace(&mut state.waiting, waiting) {
            match state.waiting.entry(filter) {
                Entry::Occupied(mut waiters) => waiters.get_mut().wakes.extend(came.wakes),
                Entry::Vacant(place) => drop(place.insert(came)),
            }
        }
    }

    /// Wakes and removes from `waiting` those for whom there is an event from `from` on.
    fn wake(&self, waiting: &mut Waiting, from: Sequence) {
        let mut from = from;
        while !waiting.is_empty() {
            match self.head.reader().read_recent(from, LOOK) {
                Ok(Some(ReadBlock { events, .. })) if events.is_empty() => return,
                Ok(Some(ReadBlock { events, next })) => {
                    let found = |wanted: &Matcher| events.iter().any(|event| wanted.accepts(&event));
                    let found = waiting.extract_if(|_, waiters| found(&waiters.wanted));
                    found.for_each(|(_, waiters)| waiters.wake());
                    from = next;
                }
                // They look for themselves, or find out what is wrong.
                Ok(None) | Err(_) => waiting.drain().for_each(|(_, waiters)| waiters.wake()),
            }
        }
    }

    /// Wakes everybody: there will be nothing more.
    fn end(&self) {
        let mut state = self.state.lock();
        let (waiting, asked) = (std::mem::take(&mut state.waiting), state.asked.take());
        drop(state);
        drop((waiting, asked));
    }
}

impl Waiters {
    fn wake(self) {
        for wake in self.wakes.into_values() {
            // Nobody listens if the wait was given up in the meantime.
            let _ = wake.send(());
        }
    }
}

/// Tells the thread that looks how the wait for the head ended.
struct Signaller(Option<Sender<Signal>>);

impl Signaller {
    fn grown(mut self) {
        if let Some(signals) = self.0.take() {
            // Nobody listens when the watch is gone.
            let _ = signals.send(Signal::Grown);
        }
    }
}

impl Drop for Signaller {
    /// The log drops the callback once its head will not move again.
    fn drop(&mut self) {
        if let Some(signals) = self.0.take() {
            let _ = signals.send(Signal::Ended);
        }
    }
}

#[cfg(test)]
mod tests;
