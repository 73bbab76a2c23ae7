//! One physical build of a read model, which describes itself. What always holds of it is told where its database is:
//! [`backend`](crate::backend).
//!
//! * Events at or below the checkpoint are never applied again.
//! * The chain value beside the checkpoint is the log's at that place. A program whose store holds another history of the log
//!   writes nothing, not even the epoch.

mod id;
mod tally;

pub use id::GenerationId;
pub use tally::Tally;
