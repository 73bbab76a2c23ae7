//! The shared log over the network: [`GrpcStore`], an [`EventStore`](annals_store::EventStore) that asks a server
//! of `services/event-store`, or of anybody who implements `annals.v1.EventStore`.
//!
//! What always holds:
//!
//! * Errors are those that the server's own store gave, unchanged. What goes wrong on the way is `Unavailable`.
//! * An append is repeated with the same request id, never with another, while the server cannot be reached, and
//!   only until the caller's deadline, [`Options::call_time_max`]: so it is written at most once. A receipt may then say
//!   `repeated` for a first call, when the answer to an earlier attempt was lost.
//! * A server that cannot be reached, or does not answer, is told in a log line within a second or so, once, and again when it
//!   is back. Consumers see it by [`annals_store::probe`], and say it in their state.
//! * A subscription outlives its connection, and says so: it comes back right after its last `through`, so nothing is missed or seen
//!   twice. It ends with `Unavailable` when the server stays away for [`Options::retry_time_max`].
//! * Each subscription has a connection of its own. On a shared one, a subscriber that stalls would hold the
//!   flow-control window that appends need.
//! * A handle belongs to one log for its whole life. A server that comes back with another log is refused: positions
//!   of one log mean nothing in another.

mod channel;
mod contact;
mod options;
mod retry;
mod store;
mod subscription;

pub use options::Options;
pub use store::{ConnectError, GrpcStore};
