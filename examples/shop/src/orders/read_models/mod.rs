//! The tables that orders are read from: three read models, each built, checkpointed and replayed on its own.

pub mod customer_value;
pub mod daily_sales;
pub mod order_summary;

use annals::projection::{ModelError, ReadModel};

/// A row an order.
pub fn order_summary() -> Result<ReadModel, ModelError> {
    ReadModel::named("order_summary").table(order_summary::order_summaries()).build()
}

/// A row a customer.
pub fn customer_value() -> Result<ReadModel, ModelError> {
    ReadModel::named("customer_value").table(customer_value::customer_values()).build()
}

/// A row a day.
pub fn daily_sales() -> Result<ReadModel, ModelError> {
    ReadModel::named("daily_sales").table(daily_sales::daily_sales()).build()
}
