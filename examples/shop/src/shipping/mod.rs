//! The shipping service: sends each order that is paid for.

pub mod api;
pub mod events;
pub mod shipment;
