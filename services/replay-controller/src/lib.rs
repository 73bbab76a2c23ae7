//! Replays over HTTP: ask for one, watch it, promote it, roll it back.
//!
//! ```text
//! POST /replays                  {"read_model": "customer_value", "from": 30001, "mode": "build"}
//! GET  /replays                  all, the one that changed last first
//! GET  /replays/{id}             one: phase, plan, progress, difference
//! POST /replays/{id}/promote     make the candidate live
//! POST /replays/{id}/cancel      stop, and discard the candidate
//! POST /replays/{id}/rollback    make the previous generation live again
//! POST /replays/{id}/retire      remove the previous generation, for good
//! ```
//!
//! What always holds:
//!
//! * Nothing is decided here: every request is a command to the replay's aggregate, and every answer is read from it.
//!   The workers that carry replays out may be in this process or in others.
//! * A refusal is a problem+json body (RFC 9457) whose `detail` says what is possible instead.
//! * A replay that this release cannot read is listed in the phase `unreadable`, with the reason; requests for it are
//!   refused with 409.
//! * A replay that no worker has taken up says so, and since when. At most one candidate of a read model waits to be
//!   promoted: when a newer one is ready, the older replay is `superseded` and its candidate discarded.
//! * `/health` is 503 with the reason while the log is not followed, because the list may then differ from the log.
//! * A request that is repeated with the same `id` is executed once.

mod body;
mod problem;
mod routes;

pub use routes::{limits, routes, server};
