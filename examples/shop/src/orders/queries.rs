//! Questions about orders that are more than one row, answered from the read models. Every answer is from one consistent view.

use super::read_models::order_summary::OrderSummary;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use annals::read_model::{Reader, ReaderError, Select, Table};
use annals::service::Problem;
use serde::{Deserialize, Serialize};

/// How many rows a list has when nobody says otherwise.
pub const ROWS_DEFAULT: u32 = 50;
/// How many rows a list may have.
pub const ROWS_MAX: u32 = 500;

/// All customers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Orders that count: placed, and not refused by payments.
    pub orders: i64,
    /// Customers with an order that counts.
    pub customers: i64,
    /// CDs ordered.
    pub items: i64,
    /// Revenue, less refunds.
    pub revenue_cents: Cents,
}

impl Totals {
    /// Adds up the customers' values.
    pub async fn read(reader: &mut Reader) -> Result<Self, ReaderError> {
        let sql = "SELECT coalesce(sum(orders), 0), count(*) FILTER (WHERE orders > 0),
                          coalesce(sum(items), 0), coalesce(sum(revenue_cents), 0) FROM customer_value";
        let found: Vec<(i64, i64, i64, Cents)> = reader.values(sql, ()).await?;
        let totals =
            |(orders, customers, items, revenue_cents)| Self { orders, customers, items, revenue_cents };
        Ok(found.into_iter().next().map(totals).unwrap_or_default())
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, in the order of their keys.
    pub rows: Vec<T>,
    /// Whether there are more: ask again with `after` set to the last row's key.
    pub more: bool,
}

/// Checks how many rows are asked for.
pub fn limit(wish: Option<u32>) -> Result<u32, Problem> {
    match wish.unwrap_or(ROWS_DEFAULT) {
        limit @ 1..=ROWS_MAX => Ok(limit),
        other => Err(Problem::bad_request(format!("limit is {other}; ask for 1 to {ROWS_MAX} rows"))),
    }
}

impl<T: Table> Page<T> {
    /// The rows that come after `after`.
    pub async fn read(reader: &mut Reader, after: Option<T::Key>, limit: u32) -> Result<Self, ReaderError> {
        let select = after.as_ref().map_or_else(Select::all, Select::after_key);
        let page = reader.page::<T>(select.limit(limit)).await?;
        Ok(Self { rows: page.rows, more: page.next.is_some() })
    }
}

impl Page<OrderSummary> {
    /// The orders of one customer that come after `after`.
    pub async fn of_customer(
        reader: &mut Reader,
        customer: CustomerId,
        after: Option<OrderId>,
        limit: u32,
    ) -> Result<Self, ReaderError> {
        let clause = "WHERE customer_id = $1 AND order_id > $2 ORDER BY order_id LIMIT $3";
        let after = after.map(String::from).unwrap_or_default();
        // One row more says whether there are more.
        let mut rows: Vec<OrderSummary> = reader.query(clause, (customer, after, limit + 1)).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Self { rows, more })
    }
}
