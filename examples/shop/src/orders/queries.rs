//! Questions about orders, answered from the read models.
//!
//! Every answer is from one consistent view. With a token the view contains what the token's command did.

use super::read_models::customer_value::CustomerValue;
use super::read_models::daily_sales::DaySales;
use super::read_models::order_summary::OrderSummary;
use crate::day::Day;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use annals::event::{LogId, Sequence, Token};
use annals::projection::{ProjectorHandle, Reader, ReaderError, Select, Table};
use annals::service::Problem;
use annals::store::{EventStore, probe};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How long a question with a token waits for the read model.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many rows a list has when nobody says otherwise.
pub const ROWS_DEFAULT: u32 = 50;
/// How many rows a list may have.
pub const ROWS_MAX: u32 = 500;

/// Answers questions. Cloning it is cheap.
#[derive(Clone)]
pub struct Queries {
    /// The log, to tell a token that is still to come from one that was never given.
    pub store: Arc<dyn EventStore>,
    /// A row an order.
    pub order_summary: ProjectorHandle,
    /// A row a customer.
    pub customer_value: ProjectorHandle,
    /// A row a day.
    pub daily_sales: ProjectorHandle,
}

/// All customers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The rows, in the order of their keys.
    pub rows: Vec<T>,
    /// Whether there are more: ask again with `after` set to the last row's key.
    pub more: bool,
}

impl<T> Page<T> {
    /// Checks how many rows are asked for.
    pub fn limit(wish: Option<u32>) -> Result<u32, Problem> {
        match wish.unwrap_or(ROWS_DEFAULT) {
            limit @ 1..=ROWS_MAX => Ok(limit),
            other => Err(Problem::bad_request(format!("limit is {other}; ask for 1 to {ROWS_MAX} rows"))),
        }
    }

    /// `rows` has one more than `limit` if there are more.
    fn of(mut rows: Vec<T>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Self { rows, more }
    }

    async fn read(reader: &mut Reader, after: Option<T::Key>, limit: u32) -> Result<Self, Problem>
    where
        T: Table,
    {
        let select = after.as_ref().map_or_else(Select::all, Select::after_key);
        let page = reader.page::<T>(select.limit(limit)).await.map_err(problem)?;
        Ok(Self { rows: page.rows, more: page.next.is_some() })
    }
}

impl Queries {
    /// The read models by their names.
    pub fn read_models(&self) -> [(&'static str, &ProjectorHandle); 3] {
        [
            ("order_summary", &self.order_summary),
            ("customer_value", &self.customer_value),
            ("daily_sales", &self.daily_sales),
        ]
    }

    /// Whether a read model has rows that were folded from another log than this.
    pub async fn have_rows_of_another_log(&self, log_id: LogId) -> bool {
        for (_, model) in self.read_models() {
            if let Ok(reader) = model.reader().await {
                let status = reader.status();
                if status.log_id != log_id && status.checkpoint > Sequence::ZERO {
                    return true;
                }
            }
        }
        false
    }

    /// An order.
    pub async fn order(&self, id: &OrderId, token: Option<Token>) -> Result<Option<OrderSummary>, Problem> {
        let mut reader = self.reader(&self.order_summary, token).await?;
        reader.get(id).await.map_err(problem)
    }

    /// A customer.
    pub async fn customer(
        &self,
        id: &CustomerId,
        token: Option<Token>,
    ) -> Result<Option<CustomerValue>, Problem> {
        let mut reader = self.reader(&self.customer_value, token).await?;
        reader.get(id).await.map_err(problem)
    }

    /// The sales of a day.
    pub async fn sales(&self, day: &Day, token: Option<Token>) -> Result<Option<DaySales>, Problem> {
        let mut reader = self.reader(&self.daily_sales, token).await?;
        reader.get(day).await.map_err(problem)
    }

    /// All customers together.
    pub async fn totals(&self, token: Option<Token>) -> Result<Totals, Problem> {
        let sql = "SELECT coalesce(sum(orders), 0), count(*) FILTER (WHERE orders > 0),
                          coalesce(sum(items), 0), coalesce(sum(revenue_cents), 0) FROM customer_value";
        self.totals_by(&self.customer_value, sql, token).await
    }

    /// The totals as the other read models have them, with the models' names; they know no customers. All must agree.
    pub async fn cross_totals(&self, token: Token) -> Result<[(&'static str, Totals); 2], Problem> {
        let orders = "SELECT count(*), 0, coalesce(sum(items), 0), coalesce(sum(CASE payment
                WHEN 'refunded' THEN 0 ELSE total_cents END), 0) FROM order_summary WHERE payment <> 'refused'";
        let days =
            "SELECT coalesce(sum(orders), 0), 0, coalesce(sum(items), 0), coalesce(sum(revenue_cents), 0)
                FROM daily_sales";
        Ok([
            ("order_summary", self.totals_by(&self.order_summary, orders, Some(token)).await?),
            ("daily_sales", self.totals_by(&self.daily_sales, days, Some(token)).await?),
        ])
    }

    async fn totals_by(
        &self,
        model: &ProjectorHandle,
        sql: &'static str,
        token: Option<Token>,
    ) -> Result<Totals, Problem> {
        let mut reader = self.reader(model, token).await?;
        let found: Vec<(i64, i64, i64, Cents)> = reader.values(sql, ()).await.map_err(problem)?;
        let totals =
            |(orders, customers, items, revenue_cents)| Totals { orders, customers, items, revenue_cents };
        Ok(found.into_iter().next().map(totals).unwrap_or_default())
    }

    /// Orders that come after `after`, of one customer or of all.
    pub async fn orders(
        &self,
        customer: Option<CustomerId>,
        after: Option<OrderId>,
        limit: u32,
    ) -> Result<Page<OrderSummary>, Problem> {
        let mut reader = self.reader(&self.order_summary, None).await?;
        let Some(customer) = customer else { return Page::read(&mut reader, after, limit).await };
        let clause = "WHERE customer_id = $1 AND order_id > $2 ORDER BY order_id LIMIT $3";
        let after = after.map(String::from).unwrap_or_default();
        let rows = reader.query(clause, (customer, after, limit + 1)).await.map_err(problem)?;
        Ok(Page::of(rows, limit))
    }

    /// Customers that come after `after`.
    pub async fn customers(
        &self,
        after: Option<CustomerId>,
        limit: u32,
    ) -> Result<Page<CustomerValue>, Problem> {
        let mut reader = self.reader(&self.customer_value, None).await?;
        Page::read(&mut reader, after, limit).await
    }

    /// Days that come after `after`.
    pub async fn days(&self, after: Option<Day>, limit: u32) -> Result<Page<DaySales>, Problem> {
        let mut reader = self.reader(&self.daily_sales, None).await?;
        Page::read(&mut reader, after, limit).await
    }

    async fn reader(&self, model: &ProjectorHandle, token: Option<Token>) -> Result<Reader, Problem> {
        let Some(token) = token else { return model.reader().await.map_err(problem) };
        if !token.is_covered_by(model.checkpoint()) && self.never_given(token).await {
            let detail = format!("wait_for={token} was never given as a token; use one of an answer");
            return Err(Problem::bad_request(detail));
        }
        model.wait_for(token, WAIT_TIMEOUT).await.map_err(Problem::unavailable)
    }

    async fn never_given(&self, token: Token) -> bool {
        probe(&*self.store).await.is_ok_and(|head| !token.is_covered_by(head.last))
    }
}

fn problem(error: ReaderError) -> Problem {
    if error.is_transient() { Problem::unavailable(error) } else { Problem::internal(&error) }
}
