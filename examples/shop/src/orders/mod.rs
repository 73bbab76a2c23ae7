//! The orders service: takes orders, follows what payments and shipping make of them, and answers questions about
//! them from its read models.

pub mod api;
pub mod events;
pub mod order;
pub mod queries;
pub mod reactor;
pub mod read_models;
pub mod status;

use annals::read_model::ReadModel;
use annals::service::{BuildError, Service};
use read_models::{customer_values, daily_sales, order_summaries};

/// What the service is made of.
pub async fn build(service: Service) -> Result<Service, BuildError> {
    Ok(service
        .read_model(ReadModel::named("order_summary").table(order_summaries()).build()?)
        .read_model(ReadModel::named("customer_value").table(customer_values()).build()?)
        .read_model(ReadModel::named("daily_sales").table(daily_sales()).build()?)
        .reactor(reactor::follow_orders()?)
        .routes(api::routes()))
}
