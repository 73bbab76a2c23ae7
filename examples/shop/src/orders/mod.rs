//! The orders service: takes orders, follows what payments and shipping make of them, and answers questions about
//! them from its read models.

pub mod api;
pub mod events;
pub mod order;
pub mod queries;
pub mod reactor;
pub mod read_models;
pub mod status;

use annals::service::{BuildError, Service};

/// What the service is made of.
pub async fn build(service: Service) -> Result<Service, BuildError> {
    Ok(service
        .read_model(read_models::order_summary()?)
        .read_model(read_models::customer_value()?)
        .read_model(read_models::daily_sales()?)
        .reactor(reactor::follow_orders()?)
        .routes(api::routes()))
}
