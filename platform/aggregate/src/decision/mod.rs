//! Decisions over several streams: the state of each, one pure closure, one append.
//!
//! ```text
//!   decide((reads::<Member>(..), writes::<Copy>(..)), cause, |(member, copy)| ..)
//!      load      every subject
//!      decide    pure; refuses, or executes commands on the subjects that it writes
//!      append    one: what is written at its exact version, the version of all else required ── conflict ─▶ load again
//!      answer    a token, as for a command on one aggregate
//! ```
//!
//! What always holds:
//!
//! * A decision is of one moment. Its events are written only where no subject has changed since it was loaded, be it
//!   written or only read; and a decision that writes nothing, or refuses, is given out only if none has.
//! * All of its events are written, or none.
//! * A stream without events is a subject like any other: it must still have none when the append is done. So a unique
//!   name is a stream of its own, which is claimed in the decision that needs it.
//! * One request id, one decision: repeating a request that wrote events writes nothing and gets the first token. The first
//!   execution is found by its id as long as the store remembers that, and by its events where they come after the snapshots
//!   that the states are loaded from. The repeat is decided on the states of that time: if it leads to other events now, it
//!   is an error. A request that was refused or had nothing to do left nothing behind, and is decided anew.
//! * A state is loaded as a command's is: from its snapshot if there is one, and a new one is kept when it is due.

mod decisions;
mod error;
mod fold;
mod part;
mod subjects;

pub use decisions::{Decided, Decisions};
pub use error::DecideError;
pub use part::{Draft, Reads, Seen, Writes, reads, writes};
pub use subjects::Subjects;
