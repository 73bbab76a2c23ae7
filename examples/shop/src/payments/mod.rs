//! The payments service: charges for each order that is placed, and gives money back on demand.

pub mod api;
pub mod events;
pub mod payment;
pub mod reactor;

use annals::service::{BuildError, Service};

/// What the service is made of.
pub async fn build(service: Service) -> Result<Service, BuildError> {
    Ok(service.reactor(reactor::charge_orders()?).routes(api::routes()))
}
