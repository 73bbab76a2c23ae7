//! The replay controller: rebuilds a read model from any sequence number while it is being queried.
//!
//! A replay is an event-sourced aggregate of the platform itself, on a stream of the reserved category `$replay`:
//! it survives restarts and is its own audit trail. An operator's words ([`Replays`]) and the steps of the worker
//! that carries it out ([`ReplayWorker`]) are commands on that aggregate.
//!
//! The words for a replay's life:
//!
//! | word | meaning |
//! |---|---|
//! | request | an operator asks for it |
//! | plan, restore, fold, catch up, verify | the worker says what it would do, makes the candidate, folds it to where the log ended, lets it follow the live generation, and checks it |
//! | promote | the candidate is made live; the generation that was live is the *previous* one |
//! | roll back | the previous generation is made live again |
//! | retire | the previous generation is given up for good; its file goes when those who may still read it are done |
//! | cancel, supersede, fail | an operator, a newer candidate or an error ends it before its candidate is live |
//! | discard | the worker removes a candidate that never was live, and its file |
//!
//! What always holds:
//!
//! * A replay never harms the log or the live generation, however it ends: it writes only to its own stream and its own
//!   candidate, until that is promoted in one fenced step.
//! * Only transitions are events. Progress is in the candidate's control row, and a killed replay continues from there.
//! * Every step may be repeated: one that was done but not recorded is found done.
//! * A replay with an event that this release cannot read, because a newer one wrote it or it is damaged, is listed as
//!   unreadable with the reason and left alone: it is neither carried out nor changed, and its candidate is kept and not
//!   promoted. All others continue. A release that can read it finds it where it was.
//! * At most one candidate of a read model waits to be promoted: a newer one that is ready supersedes the older.
//! * The list of replays is that of the log as it is, even if the log was restored from a backup under a running process.
//! * A candidate is promoted only after it was proven complete against the log and compared with the live generation at the
//!   same sequence number.

mod aggregate;
mod board;
mod command;
mod directory;
mod error;
pub mod event;
mod id;
mod phase;
mod progress;
mod replays;
mod worker;

pub use aggregate::Replay;
pub use command::{ReplayCommand, ReplayRefused};
pub use error::{ReplayError, WorkerError};
pub use event::ReplayEvent;
pub use id::ReplayId;
pub use phase::{Failure, Phase, ReplayMode};
pub use progress::Progress;
pub use replays::{ReplayRequest, ReplayStatus, Replays, Waiting};
pub use worker::{ReplayWorker, WorkerOptions};
