//! Annals on the wire: the code generated from `proto/`, and its conversions to and from the platform's own
//! types. The only home of generated code. It is kept in `src/generated`, so that building Annals does not build a
//! compiler of protos first; `tests/generated.rs` checks that it matches the protos, and regenerates it.
//!
//! What always holds:
//!
//! * Whatever a message says, converting it gives a valid value or an [`InvalidMessage`] that names the field.
//! * Converting there and back changes nothing. The encoded form of a value never changes, which tests with fixed
//!   bytes ensure.
//! * A request that repeats an element too often is refused before it is decoded (see [`codec`]).
//! * An error arrives as the same error: it travels as a typed detail beside the gRPC status (see [`status`]).

mod append;
pub mod codec;
mod count;
mod event;
mod invalid;
pub mod limits;
mod read;
pub mod status;

/// The messages and services that are generated from `proto/annals/v1`. Their documentation is in the protos.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::restriction,
    clippy::pedantic,
    reason = "generated code"
)]
pub mod v1 {
    include!("generated/annals.v1.rs");
}

pub use event::event_batch;
pub use invalid::InvalidMessage;

/// The request header with the UUID of the log that the caller means. A server that holds another log refuses.
pub const LOG_ID_HEADER: &str = "annals-log-id";
