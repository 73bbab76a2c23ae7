//! Replays over HTTP ([`annals_service::admin::replays`]) as a server of its own, with what the platform answers in every service:
//! health, metrics and `/_annals/v1`.
//!
//! What always holds:
//!
//! * The workers that carry replays out run where the read models are, in other processes.
//! * `/health` is 503 with the reason while the log is not followed, because the list may then differ from the log.
//! * Nothing is stored, and no folder is made.

mod keys;
mod routes;

pub use keys::{KEYS, NAME};
pub use routes::{health, routes};
