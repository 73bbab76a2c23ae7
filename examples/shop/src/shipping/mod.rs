//! The shipping service: sends each order that is paid for.

pub mod api;
pub mod events;
pub mod reactor;
pub mod shipment;

use crate::tasks::Tasks;
use annals::aggregate::Repository;
use annals::reactor::{Options, ReactorHandle, ReactorWorker};
use annals::store::EventStore;
use axum::Router;
use shipment::Shipment;
use std::sync::Arc;

/// The service's name, which stands in each of its events.
pub const SERVICE: &str = "shipping";

/// The running service.
pub struct Shipping {
    /// Its HTTP API.
    pub routes: Router,
    /// How far it reacted to the log.
    pub reactor: ReactorHandle,
}

/// Starts the service on `store`.
pub fn start(store: Arc<dyn EventStore>, tasks: &mut Tasks) -> anyhow::Result<Shipping> {
    let shipments = Repository::<Shipment>::new(store).service(SERVICE);
    let worker = ReactorWorker::new(shipments.clone(), reactor::ship_paid_orders()?, Options::default());
    let reactor = worker.handle();
    tasks.spawn("the reactor of shipping", |stop| worker.run(stop));
    Ok(Shipping { routes: api::routes(shipments), reactor })
}
