//! The shop at work: its three services in this process, fed with real purchases over HTTP.
//!
//! * [`run`] starts the shop, does the main job ([`job`]), serves on and stops in order.
//! * The job is a client: orders, questions, replays and health go over HTTP. Of the log it reads what only events tell: their causes.

pub mod feed;
pub mod job;
pub mod options;
pub mod report;
pub mod run;
pub mod shop;
