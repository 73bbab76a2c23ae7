//! Shows how the events of one order caused each other, from the log alone.

use crate::report::TraceReport;
use annals::store::{EventStore, ReadStream};
use annals_aggregate::stream_of;
use annals_shop::ids::OrderId;
use annals_shop::orders::order::Order;
use annals_store::causes::CauseTree;
use anyhow::{Context, Result};

/// The tree of an order's events, and what the report says of it.
pub async fn trace(store: &dyn EventStore, order_id: &OrderId) -> Result<(CauseTree, TraceReport)> {
    let stream = stream_of::<Order>(order_id.as_str())?;
    let page = store.read_stream(ReadStream::forward(stream)).await?;
    let placed = page.events.first().with_context(|| format!("order {order_id} has no events"))?;
    let tree = CauseTree::of_event(store, placed.id()).await?;
    let report = report(&tree, order_id);
    Ok((tree, report))
}

fn report(tree: &CauseTree, order_id: &OrderId) -> TraceReport {
    let times = tree.events().iter().map(|event| event.recorded_at.as_micros());
    let (first, last) = (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default());
    let micros = u32::try_from(last - first).unwrap_or(u32::MAX);
    TraceReport {
        order: order_id.to_string(),
        services: tree.services().into_iter().map(str::to_owned).collect(),
        events: tree.events().len(),
        milliseconds: f64::from(micros) / 1_000.0,
    }
}
