//! Annals at work: an online CD shop of three microservices over one log.
//!
//! * A service is a folder: its events, its aggregate, its reactor, its HTTP API, its read models side by side, and a `build` that
//!   puts them together. Configuration, the log, replays, health and an end in order come with [`Service`].
//! * Services share the log and the contracts of their events, and nothing else.
//! * Each service is a program of its own; [`build`] is all three in one.

pub mod columns;
pub mod day;
pub mod ids;
pub mod money;
pub mod orders;
pub mod payments;
pub mod shipping;

use annals::service::{BuildError, Service};
use axum::{Router, routing::get};

/// The three services in one process, each under its own name.
pub async fn build(service: Service) -> Result<Service, BuildError> {
    let service = service.part("orders", orders::build).await?;
    let service = service.part("payments", payments::build).await?;
    let service = service.part("shipping", shipping::build).await?;
    Ok(service.routes(Router::new().route("/", get(async || CONTENTS))))
}

const CONTENTS: &str = include_str!("contents.txt");
