//! What is decided: where streams and marks are, which requests were made, and what becomes of an append. It follows from the
//! appends alone.
//!
//! What always holds: nothing here knows a position, a segment or a disk, so nodes that took the same appends agree on it.

mod chain;
mod changes;
mod decide;
mod decided;
mod head_table;
mod heads;
mod pending;
mod requests;
mod window;

pub(crate) use chain::{Chain, Link};
pub(crate) use changes::Changes;
pub(crate) use decide::{Decision, Known, Original};
pub(crate) use decided::{Decided, Marks};
pub(crate) use heads::{Head, Heads, Note, StreamHash, StreamHasher};
pub(crate) use pending::{Pending, Records, event_id_of};
pub(crate) use requests::{Request, Requests};
pub(crate) use window::{RequestHasher, Window};
