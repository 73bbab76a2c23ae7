//! The shipping service: sends each order that is paid for.

pub mod api;
pub mod events;
pub mod reactor;
pub mod shipment;

use annals::service::{BuildError, Service};

/// What the service is made of.
pub async fn build(service: Service) -> Result<Service, BuildError> {
    Ok(service.reactor(reactor::ship_paid_orders()?).routes(api::routes()))
}
