//! The payments service: charges for each order that is placed, and gives money back on demand.

pub mod api;
pub mod events;
pub mod payment;
