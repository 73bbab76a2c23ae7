//! Reactors: events in, commands for a service's own aggregates out, exactly once.
//!
//! ```text
//!   log     ... 41  42  43  44 ...                      ... 58  59 ...
//!               └── source events ──┐                        ▲   ▲
//!   mark  reactor/payments at 40    │                        │   │
//!                                   ▼                        │   │
//!                react ▶ load ▶ decide ▶ encode ──▶ one append: outputs and mark 40 ▶ 44
//! ```
//!
#![doc = include_str!("using.md")]
//!
//! What always holds:
//!
//! * The outputs of source events and the mark that says that they were handled are *one* append. After a crash
//!   either both are there or neither, so a reaction happens exactly once.
//! * The mark is set by compare-and-set. Of two copies of a worker that append at the same time, one cannot set it and stops,
//!   [`Fenced`]. Whoever runs it may start it again: it goes on from the mark that is there, which is how it takes over from a copy
//!   that has gone.
//! * Output ids derive from (reactor, source event, index) and are the same for every copy; request ids are made for each
//!   append, so that they tell copies apart. An append whose answer was lost is repeated as it was, by the adapter or by
//!   the worker, and found done under its request id; one that is found done under another was made by another copy.
//! * A decision is written only on the version that it was made on. When others wrote in between, the source events
//!   are handled again, one by one, on what they left.
//! * While the store is unavailable nothing is lost: the worker waits and goes on from its mark. The mark is in the log, so a log
//!   that is restored from a backup has the mark of then: events are neither skipped nor reacted to twice in it. A worker that
//!   outlives the restore finds the mark further back than it left it, and goes on from there. (Nobody else sets it back.)
//! * Where a reactor begins ([`Start`]) is decided once: its mark is set before it looks at the first event, by compare-and-set,
//!   so that two copies begin at the same place, and one that dies in between begins where it would have. A log that is
//!   restored from a backup made before that has no mark; a worker that outlives the restore then begins at the first event that
//!   was recorded since it was started. One that is started in the restored log begins there as in any log: with [`Start::Now`]
//!   at the events that are appended from then on, so what was appended between restore and start is passed over.
//! * An event that cannot be handled stops the reactor before it, by an error that names it: one that cannot be read, that names
//!   no aggregate that can be loaded, whose command is refused, or whose outputs cannot be stored (one with a value that is no
//!   tag, say). The events before it are handled.
//! * Handlers are pure. Calls to the outside world have no place in them.
//! * One event may tell aggregates of several types: an append takes all of their streams, each at its version.
//!
//! [`Fenced`]: ReactorError::Fenced

mod error;
mod handle;
mod plan;
mod reaction;
mod reactor;
mod refused;
mod start;
pub mod testing;
mod worker;

pub use error::{ReactorError, WaitError};
pub use handle::ReactorHandle;
pub use reaction::Reaction;
pub use reactor::{Reactor, ReactorBuilder};
pub use refused::OnRefused;
pub use start::Start;
pub use worker::{Options, ReactorWorker, STOP_TIME_MAX};
