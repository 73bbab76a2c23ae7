//! Annals at work: an online CD shop of three microservices over one log.

pub mod day;
pub mod feed;
pub mod http;
pub mod ids;
pub mod money;
pub mod problem;
