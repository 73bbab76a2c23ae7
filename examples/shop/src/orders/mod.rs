//! The orders service: takes orders, follows what payments and shipping make of them, and answers questions about
//! them from its read models.

pub mod events;
pub mod order;
pub mod read_models;
pub mod status;
