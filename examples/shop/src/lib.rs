//! Annals at work: an online CD shop of three microservices over one log.

pub mod columns;
pub mod day;
pub mod feed;
pub mod http;
pub mod ids;
pub mod money;
pub mod options;
pub mod orders;
pub mod payments;
pub mod problem;
pub mod shipping;
