//! The orders service: takes orders, follows what payments and shipping make of them, and answers questions about
//! them from its read models.

pub mod api;
pub mod events;
pub mod order;
pub mod queries;
pub mod reactor;
pub mod read_models;
pub mod status;

use crate::tasks::Tasks;
use annals::aggregate::Repository;
use annals::projection::{Catalog, Generations};
use annals::reactor::{Options, ReactorHandle, ReactorWorker};
use annals::store::EventStore;
use axum::Router;
use order::Order;
use queries::Queries;
use read_models::Started;
use std::sync::Arc;

/// The service's name, which stands in each of its events.
pub const SERVICE: &str = "orders";

/// The running service.
pub struct Orders {
    /// Its HTTP API.
    pub routes: Router,
    /// How far it reacted to the log.
    pub reactor: ReactorHandle,
    /// Its read models.
    pub queries: Queries,
    /// The generations of its read models, for replays.
    pub generations: Vec<Generations>,
}

/// Starts the service on `store`, with its read models in `catalog`.
pub async fn start(
    store: Arc<dyn EventStore>,
    catalog: Catalog,
    tasks: &mut Tasks,
) -> anyhow::Result<Orders> {
    let Started { queries, generations } = read_models::start(store.clone(), catalog, tasks).await?;
    let orders = Repository::<Order>::new(store).service(SERVICE);
    let worker = ReactorWorker::new(orders.clone(), reactor::follow_orders()?, Options::default());
    let reactor = worker.handle();
    tasks.spawn("the reactor of orders", |stop| worker.run(stop));
    let routes = api::routes(api::OrdersApi { orders, queries: queries.clone() });
    Ok(Orders { routes, reactor, queries, generations })
}
