//! The platform's own routes, the same in every service: what people and tools ask of it beside its domain.
//!
//! What always holds: everything here answers below one path, which the service's own routes do not use. Nothing is decided
//! here; each request is passed on to the part that decides.

mod replays;

pub use replays::replays;
