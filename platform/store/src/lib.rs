//! The one interface between services and the log: [`EventStore`].
//!
//! ```text
//!   sequence   1   2   3   4   5   6   7   8
//!   stream     a   b   a   c   a   b   b   a
//!              └─ first retained       head ┘
//!   read_log(from 3)      3   4   5 ...          from is included
//!   checkpoint 4          the next read is from 5
//! ```
//!
//! What every adapter guarantees, and the suite in `conformance` (a feature of that name) checks:
//!
//! * Sequence numbers strictly increase in commit order; nothing appears below a position that was readable. There
//!   may be gaps: use `next()` of a position, and never assume that an event is there.
//! * An append is all or nothing. Answered means durable; what is not durable is not visible to any reader.
//! * A repeated request id gets the first result and writes nothing. An id that the store no longer remembers, and
//!   whose time does not prove it new, is executed only where the append itself would be refused the second time;
//!   otherwise it is refused by name. Under `Exact` and `NoStream`, event ids identify a repeat too; the same ids
//!   with other content are an error.
//! * A subscription delivers in order, without gap or duplicate: first what is there, then what comes. Events come at
//!   once; progress without events comes within [`PROGRESS_EVERY`], and not more often.
//! * Conflict, bad input, unavailable and corrupted are distinct errors.
//! * `Unavailable` comes after everything that the adapter itself could try in the time that a call may take. The
//!   caller does not repeat the call on the spot; a consumer waits as [`Backoff`] says.
//!
//! Beside it stands what all consumers of the log have in common: [`ConsumerState`] says what one does and how far
//! behind it is, [`SeenLog`] whether the store still holds the log that it has seen, and [`Backoff`] how it waits out
//! an outage.

mod backoff;
mod consumer;
mod error;
mod filter;
mod gapped;
mod layer;
mod progress;
mod read;
mod same_log;
#[cfg(feature = "conformance")]
mod staged;
mod store;
mod subscription;

pub mod causes;
#[cfg(feature = "conformance")]
pub mod conformance;

pub use backoff::{
    Backoff, CONTENTION_WAIT_MAX, CONTENTION_WAIT_MIN, OUTAGE_WAIT_MAX, OUTAGE_WAIT_MIN, RESTART_WAIT_MAX,
    RESTART_WAIT_MIN,
};
pub use consumer::{Activity, ConsumerBoard, ConsumerState, ConsumerWatch, LOG_POLL, PROBE_TIME_MAX, probe};
pub use error::{AppendError, Damage, ReadError};
pub use filter::{Filter, Matcher};
pub use gapped::GappedStore;
pub use layer::{Layer, Rerouted};
pub use progress::{PROGRESS_EVERY, ProgressPace};
pub use read::{Direction, Head, LogPage, ReadLog, ReadStream, StreamPage};
pub use same_log::{LogMismatch, SeenLog, chain_at, chain_in, check_same_log};
#[cfg(feature = "conformance")]
pub use staged::{Call, Scene, Staged, Trouble};
pub use store::{Capabilities, EventStore};
pub use subscription::{Delivery, Follow, Subscribe, Subscription};
