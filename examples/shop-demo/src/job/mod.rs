//! The main job: feed the purchases, wait for all that they cause, total, rebuild a read model under queries, and
//! show how one order's events caused each other.

pub mod query_loop;
pub mod replay;
pub mod settle;
pub mod totals;
pub mod trace;

use crate::feed::client::OrdersClient;
use crate::feed::{self, Fed, PurchaseFile};
use crate::report::{FeedReport, LogReport, Report, TraceReport};
use crate::shop::Shop;
use annals_shop::ids::OrderId;
use annals_shop::orders::queries::{Page, Totals};
use annals_shop::orders::read_models::order_summary::OrderSummary;
use anyhow::Result;
use std::time::Instant;

/// What the job works on.
pub struct Job {
    /// The running shop.
    pub shop: Shop,
    /// What to feed it.
    pub purchases: PurchaseFile,
}

impl Job {
    /// Does the job.
    pub async fn run(self) -> Result<Report> {
        let Self { shop, purchases } = self;
        let begun = Instant::now();
        let (fed, feed) = feed(&shop, purchases).await?;
        let Totals { orders, customers, items, revenue_cents } = totals::checked(&shop).await?;
        eprintln!(
            "totals   {orders} orders by {customers} customers: {items} items for {revenue_cents} dollars"
        );
        let replay = replay::replay(&shop).await?;
        let trace = trace_one(&shop, &fed).await?;
        let (log, seconds) = (LogReport::read(&shop.metrics().await?), begun.elapsed().as_secs_f64());
        Ok(Report {
            orders,
            customers,
            items,
            revenue_cents,
            log,
            seconds,
            resumed: shop.resumed,
            feed,
            replay,
            trace,
            listen: shop.url,
            data_dir: shop.data_dir,
        })
    }
}

/// Feeds the file and waits until nothing is left to do.
async fn feed(shop: &Shop, purchases: PurchaseFile) -> Result<(Fed, FeedReport)> {
    let client = OrdersClient::new(&shop.url)?;
    let begun = Instant::now();
    let fed = purchases.feed(&client, &feed::progress_bar()).await?;
    let seconds = begun.elapsed().as_secs_f64();
    settle::settle(shop).await?;
    let settle_seconds = begun.elapsed().as_secs_f64() - seconds;
    let Fed { placed, known, bad_lines, .. } = fed;
    let report = FeedReport { placed, known, bad_lines, seconds, settle_seconds };
    eprintln!("feed     {report}");
    Ok((fed, report))
}

async fn trace_one(shop: &Shop, fed: &Fed) -> Result<TraceReport> {
    let Some(order_id) = any_order(shop, fed).await? else { return Ok(TraceReport::default()) };
    let (tree, report) = trace::trace(&*shop.store, &order_id).await?;
    eprintln!("trace    order {order_id}\n{tree}");
    Ok(report)
}

/// The first order of the file, or any when the file had none.
async fn any_order(shop: &Shop, fed: &Fed) -> Result<Option<OrderId>> {
    if let Some(first) = &fed.first {
        return Ok(Some(first.order_id.clone()));
    }
    let page: Page<OrderSummary> = shop.get("/orders?limit=1").await?;
    Ok(page.rows.into_iter().next().map(|order| order.order_id))
}
