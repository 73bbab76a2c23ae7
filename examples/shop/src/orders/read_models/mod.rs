//! The tables that orders are read from: three read models, each built, checkpointed and replayed on its own.

pub mod customer_value;
pub mod daily_sales;
pub mod order_summary;

pub use customer_value::customer_values;
pub use daily_sales::daily_sales;
pub use order_summary::order_summaries;
