//! Aggregates: state folded from a stream, a command in, events out.
//!
//! ```text
//!   execute(id, command, cause)
//!      load      snapshot ─┐
//!                tail ─────┴─ upcast, fold ─▶ state at version v
//!      decide    pure; refuses, or gives events
//!      append    expected version v ── conflict ─▶ load again
//!      answer    the new state, and a token: what a read model must contain to show it
//! ```
//!
//! What always holds:
//!
//! * [`Aggregate::decide`] and [`Aggregate::evolve`] are synchronous and pure: no clock, no I/O, no randomness. What
//!   depends on those comes with the command.
//! * A decision is written only on the very version that it was based on; otherwise it is made again.
//! * One request id, one decision: repeating a request that wrote events writes nothing and gets those events.
//! * A stored event is never rewritten; older forms become the newest one when they are read ([`annals_event::decode`]).
//! * A decision over several streams ([`decision`]) is one append, and holds for one moment of all of them.
//! * Snapshots are a cache: losing or damaging them costs time and nothing else.
//! * An event type that the aggregate's enum does not know is skipped: a newer release of the service may add events
//!   beside the old ones. One that it knows and cannot decode is an error that names it, and so is one at which
//!   `evolve` or an upcast panics.

mod aggregate;
mod cause;
pub mod decision;
mod encode;
mod error;
mod executed;
mod loaded;
mod reader;
mod repositories;
mod repository;
mod request;
mod snapshot;
pub mod testing;
mod writing;

pub use aggregate::{Aggregate, stream_of};
pub use cause::{Cause, RequestContent};
pub use encode::encode;
pub use error::{ExecuteError, FoldError, LoadError};
pub use executed::{Emitted, Executed};
pub use loaded::Loaded;
pub use repositories::Repositories;
pub use repository::Repository;
pub use snapshot::{FolderSnapshots, Snapshot, SnapshotError, SnapshotSchema, SnapshotStore};
