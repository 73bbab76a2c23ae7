//! The tables that orders are read from: three read models, each built, checkpointed and replayed on its own.

pub mod customer_value;
pub mod daily_sales;
pub mod order_summary;
