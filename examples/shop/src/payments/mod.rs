//! The payments service: charges for each order that is placed, and gives money back on demand.

pub mod api;
pub mod events;
pub mod payment;
pub mod reactor;

use crate::tasks::Tasks;
use annals::aggregate::Repository;
use annals::reactor::{Options, ReactorHandle, ReactorWorker};
use annals::store::EventStore;
use axum::Router;
use payment::Payment;
use std::sync::Arc;

/// The service's name, which stands in each of its events.
pub const SERVICE: &str = "payments";

/// The running service.
pub struct Payments {
    /// Its HTTP API.
    pub routes: Router,
    /// How far it reacted to the log.
    pub reactor: ReactorHandle,
}

/// Starts the service on `store`.
pub fn start(store: Arc<dyn EventStore>, tasks: &mut Tasks) -> anyhow::Result<Payments> {
    let payments = Repository::<Payment>::new(store).service(SERVICE);
    let worker = ReactorWorker::new(payments.clone(), reactor::charge_orders()?, Options::default());
    let reactor = worker.handle();
    tasks.spawn("the reactor of payments", |stop| worker.run(stop));
    Ok(Payments { routes: api::routes(payments), reactor })
}
