//! The shared log over the network: [`GrpcStore`], an [`EventStore`](annals_store::EventStore) that sends its requests
//! to `services/event-store` or to any other server of `annals.v1.EventStore`.
//!
//! What always holds:
//!
//! * Errors of the server's own store arrive unchanged. Everything that goes wrong on the network is `Unavailable`.
//! * While the server cannot be reached, a call is repeated, but never past the caller's deadline,
//!   [`Options::call_time_max`]. Every attempt at an append has the same request id, so it is written at most once. If the
//!   answer to an earlier attempt was lost, the receipt says `repeated` although the caller asked only once.
//! * When the server cannot be reached or does not answer, one log line says so within about a second, and another one says
//!   when it is back. Consumers find out through [`annals_store::probe`], and show it in their state.
//! * A subscription survives a broken connection. It resumes right after its last `through`, so no event is missed or
//!   delivered twice, and marks the next delivery as resumed. It ends with `Unavailable` when the server stays away longer
//!   than [`Options::retry_time_max`].
//! * Each subscription has its own connection. If subscriptions shared one with other calls, a stalled subscriber could use
//!   up the flow-control window that appends need.
//! * A handle belongs to one log for its whole life. If the server comes back with another log, calls fail with `OtherLog`:
//!   positions in one log mean nothing in another.

mod channel;
mod contact;
mod options;
mod retry;
mod store;
mod subscription;

pub use options::Options;
pub use store::{ConnectError, GrpcStore};
