//! Replays over HTTP ([`annals_service::admin::replays`]) as a server of its own, with its health.
//!
//! What always holds:
//!
//! * The workers that carry replays out run where the read models are, in other processes.
//! * `/health` is 503 with the reason while the log is not followed, because the list may then differ from the log.

mod routes;

pub use routes::{limits, server};
