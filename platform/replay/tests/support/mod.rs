//! What the tests of replays stand on: the real store, real generations, running projectors and workers.

#![allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "each test uses its part")]

mod customers;
mod queries;
mod stores;
mod world;

pub use customers::{
    CUSTOMERS, Customer, Customers, Days, Fold, Ordered, Rows, model, model_of, orders, rows,
};
pub use queries::{Queries, Writing};
pub use stores::{PAGE_EVENTS, Stage, Trap};
pub use world::{PATIENCE, Projecting, Worker, Working, World, until, within};

/// The events that end the phases up to the one in which the candidate can be promoted.
pub const STEPS: [&str; 6] = [
    "replay.planned",
    "replay.restoring_begun",
    "replay.folding_begun",
    "replay.catching_up_begun",
    "replay.verifying_begun",
    "replay.verified",
];
