//! Annals at work: an online CD shop of three microservices over one log.
//!
//! * A service is a folder: its events, its aggregate, its reactor, its HTTP API, its read models side by side.
//! * Services share the log and the contracts of their events, and nothing else: each decodes of another's events
//!   only what it needs, with an enum of its own.
//! * [`shop`] puts them into one process; [`job`] is the main job; `main` is thin.

pub mod columns;
pub mod day;
pub mod feed;
pub mod folder;
pub mod health;
pub mod http;
pub mod ids;
pub mod job;
pub mod money;
pub mod options;
pub mod orders;
pub mod payments;
pub mod report;
pub mod run;
pub mod shipping;
pub mod shop;
pub mod store;
pub mod tasks;
