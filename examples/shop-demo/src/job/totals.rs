//! The totals of all orders, which three read models know, each in its own way.

use super::settle::settle;
use crate::shop::Shop;
use annals_shop::money::Cents;
use annals_shop::orders::queries::{Page, ROWS_MAX, Totals};
use annals_shop::orders::read_models::daily_sales::DaySales;
use annals_shop::orders::read_models::order_summary::OrderSummary;
use annals_shop::orders::status::PaymentStatus;
use anyhow::{Result, bail};
use serde::de::DeserializeOwned;

/// Orders, items and cents: what all three know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    orders: i64,
    items: i64,
    cents: i64,
}

/// The totals, which all three read models must agree on.
pub async fn checked(shop: &Shop) -> Result<Totals> {
    loop {
        let head = settle(shop).await?;
        let totals: Totals = shop.get("/totals").await?;
        let of_customers =
            Sums { orders: totals.orders, items: totals.items, cents: totals.revenue_cents.get() };
        let others = [("order_summary", of_orders(shop).await?), ("daily_sales", of_days(shop).await?)];
        let Some((model, other)) = others.into_iter().find(|(_, sums)| *sums != of_customers) else {
            return Ok(totals);
        };
        // Somebody may have ordered between two questions.
        if shop.store.head().await?.last == head {
            bail!("the read models disagree: customer_value says {of_customers:?}, {model} says {other:?}");
        }
    }
}

async fn of_orders(shop: &Shop) -> Result<Sums> {
    let key = |order: &OrderSummary| order.order_id.to_string();
    let sums = |order: &OrderSummary| match order.payment {
        PaymentStatus::Refused => Sums::default(),
        PaymentStatus::Refunded => Sums::of(1, order.items.into(), Cents::ZERO),
        PaymentStatus::Pending | PaymentStatus::Paid => Sums::of(1, order.items.into(), order.total_cents),
    };
    add_up(shop, "/orders", key, sums).await
}

async fn of_days(shop: &Shop) -> Result<Sums> {
    let key = |day: &DaySales| day.day.to_string();
    add_up(shop, "/sales", key, |day| Sums::of(day.orders, day.items, day.revenue_cents)).await
}

/// Reads a list to its end.
async fn add_up<T: DeserializeOwned>(
    shop: &Shop,
    list: &str,
    key: impl Fn(&T) -> String,
    sums: impl Fn(&T) -> Sums,
) -> Result<Sums> {
    let (mut sum, mut after) = (Sums::default(), String::new());
    loop {
        let page: Page<T> = shop.get(&format!("{list}?limit={ROWS_MAX}{after}")).await?;
        page.rows.iter().for_each(|row| sum.add(sums(row)));
        match page.rows.last() {
            Some(last) if page.more => after = format!("&after={}", key(last)),
            _ => return Ok(sum),
        }
    }
}

impl Sums {
    const fn of(orders: i64, items: i64, revenue: Cents) -> Self {
        Self { orders, items, cents: revenue.get() }
    }

    fn add(&mut self, more: Self) {
        self.orders += more.orders;
        self.items += more.items;
        self.cents += more.cents;
    }
}
