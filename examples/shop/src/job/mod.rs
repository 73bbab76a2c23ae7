//! The main job: feed the purchases, wait for all that they cause, total, rebuild a read model under queries, and
//! show how one order's events caused each other.

pub mod query_loop;
pub mod replay;
pub mod settle;
pub mod trace;

use crate::feed::client::OrdersClient;
use crate::feed::{self, Fed, PurchaseFile};
use crate::ids::OrderId;
use crate::orders::queries::{Queries, Totals};
use crate::report::{FeedReport, Report, TraceReport};
use crate::shop::Shop;
use annals::event::Token;
use annals::service::Problem;
use anyhow::{Result, anyhow, bail};
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
        let totals = checked_totals(&shop).await?;
        let replay = replay::replay(&shop).await?;
        let trace = trace_one(&shop, &fed).await?;
        let Totals { orders, customers, items, revenue_cents } = totals;
        let (log, seconds, listen) = (shop.store.report(), begun.elapsed().as_secs_f64(), shop.url());
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
            listen,
            data_dir: shop.data_dir,
        })
    }
}

/// Feeds the file and waits until nothing is left to do.
async fn feed(shop: &Shop, purchases: PurchaseFile) -> Result<(Fed, FeedReport)> {
    let client = OrdersClient::new(&shop.url())?;
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

/// The totals, which all three read models must agree on.
async fn checked_totals(shop: &Shop) -> Result<Totals> {
    loop {
        let head = settle::settle(shop).await?;
        let totals = shop.queries.totals(Some(head.into())).await.map_err(failed)?;
        let Some((model, other)) = disagreement(&shop.queries, &totals, head.into()).await? else {
            let Totals { orders, customers, items, revenue_cents } = totals;
            eprintln!(
                "totals   {orders} orders by {customers} customers: {items} items for {revenue_cents} dollars"
            );
            return Ok(totals);
        };
        // Somebody may have ordered between two questions.
        if shop.store.events().head().await?.last == head {
            bail!("the read models disagree: customer_value says {totals:?}, {model} says {other:?}");
        }
    }
}

async fn disagreement(
    queries: &Queries,
    totals: &Totals,
    token: Token,
) -> Result<Option<(&'static str, Totals)>> {
    let of = |totals: &Totals| (totals.orders, totals.items, totals.revenue_cents);
    let others = queries.cross_totals(token).await.map_err(failed)?;
    Ok(others.into_iter().find(|(_, other)| of(other) != of(totals)))
}

async fn trace_one(shop: &Shop, fed: &Fed) -> Result<TraceReport> {
    let Some(order_id) = any_order(shop, fed).await? else { return Ok(TraceReport::default()) };
    let (tree, report) = trace::trace(shop.store.events().as_ref(), &order_id).await?;
    eprintln!("trace    order {order_id}\n{tree}");
    Ok(report)
}

/// The first order of the file, or any when the file had none.
async fn any_order(shop: &Shop, fed: &Fed) -> Result<Option<OrderId>> {
    if let Some(first) = &fed.first {
        return Ok(Some(first.order_id.clone()));
    }
    let page = shop.queries.orders(None, None, 1).await.map_err(failed)?;
    Ok(page.rows.into_iter().next().map(|order| order.order_id))
}

fn failed(problem: Problem) -> anyhow::Error {
    anyhow!("{}", problem.detail)
}
