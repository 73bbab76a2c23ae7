//! Rebuilds a read model from the middle of the log, verifies it against the live one and promotes it, while
//! queries go on being answered.

use super::query_loop::QueryLoop;
use crate::report::ReplayReport;
use crate::shop::Shop;
use annals::event::Sequence;
use annals::replay::{Difference, Failure, Phase, Plan, ReplayMode};
use annals_service::counted;
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// The read model of customers' values.
const CUSTOMER_VALUE: &str = "customer_value";
/// Where replays are asked for.
const REPLAYS: &str = "/_annals/v1/replays";
/// How often the shop is asked how far a replay is.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Of so many snapshots that the plan does not use the reason is told; there may be dozens.
const PASSED_OVER_TOLD: usize = 3;

/// A replay, as the shop tells of it.
#[derive(Debug, Deserialize)]
struct Replay {
    id: String,
    read_model: String,
    from: u64,
    mode: ReplayMode,
    phase: Phase,
    plan: Option<Plan>,
    progress: Option<Progress>,
    difference: Option<Difference>,
    failure: Option<Failure>,
    unreadable: Option<String>,
}

/// How far a candidate is.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Progress {
    done: u64,
    total: u64,
}

/// Replays the customers' values from the middle of the log.
pub async fn replay(shop: &Shop) -> Result<ReplayReport> {
    let head = shop.store.head().await?.last;
    let from = Sequence::new(head.get().div_ceil(2)).max(Sequence::FIRST);
    let plan = plan(shop, from).await?;
    eprintln!("plan     {}", Planned { from, plan: &plan });
    let queries = QueryLoop::start(shop).await?;
    let begun = Instant::now();
    let replay = rebuild(shop, from).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let queries = queries.stop().await?;
    let outcome = outcome(&replay);
    let report = report(replay, seconds, queries);
    eprintln!("replay   {report}");
    if !report.verified || !report.promoted {
        bail!("the replay of {CUSTOMER_VALUE} was not promoted: {outcome}");
    }
    Ok(report)
}

/// What a replay would do. Nothing is touched.
async fn plan(shop: &Shop, from: Sequence) -> Result<Plan> {
    let replay = settled(shop, request(shop, from, ReplayMode::Plan).await?, |_| {}).await?;
    let outcome = outcome(&replay);
    match replay.plan.filter(|plan| plan.refusal.is_none()) {
        Some(plan) => Ok(plan),
        None => bail!("a replay from {from} on cannot be done: {outcome}"),
    }
}

async fn rebuild(shop: &Shop, from: Sequence) -> Result<Replay> {
    let bar = progress_bar();
    let requested = request(shop, from, ReplayMode::PromoteIfIdentical).await?;
    let replay = settled(shop, requested, |replay| show(&bar, replay)).await?;
    bar.finish();
    Ok(replay)
}

async fn request(shop: &Shop, from: Sequence, mode: ReplayMode) -> Result<Replay> {
    shop.post(REPLAYS, &json!({ "read_model": CUSTOMER_VALUE, "from": from, "mode": mode })).await
}

/// The replay, once it does nothing more by itself.
async fn settled(shop: &Shop, mut replay: Replay, told: impl Fn(&Replay)) -> Result<Replay> {
    use Phase::{Cancelled, Failed, Planned, Promoted, Ready, Superseded, Unreadable};
    loop {
        told(&replay);
        match replay.phase {
            Planned if replay.mode != ReplayMode::Plan => {}
            Planned | Ready | Promoted | Cancelled | Superseded | Failed | Unreadable => return Ok(replay),
            _ => {}
        }
        tokio::time::sleep(ASK_EVERY).await;
        replay = shop.get(&format!("{REPLAYS}/{}", replay.id)).await?;
    }
}

fn progress_bar() -> ProgressBar {
    let template = "{prefix:>8} {wide_bar} {percent:>3}%  {msg}  {per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_prefix("replay").with_style(style)
}

fn show(bar: &ProgressBar, replay: &Replay) {
    bar.set_message(replay.phase.to_string());
    if let Some(progress) = replay.progress {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }
}

fn report(replay: Replay, seconds: f64, queries: u64) -> ReplayReport {
    let plan = replay.plan.unwrap_or_default();
    ReplayReport {
        read_model: replay.read_model,
        from: replay.from,
        snapshot_sequence: plan.snapshot.map_or(0, |snapshot| snapshot.sequence.get()),
        events: plan.events,
        seconds,
        events_per_second: rate(plan.events, seconds),
        verified: replay.difference.is_some_and(|difference| difference.is_none()),
        promoted: replay.phase == Phase::Promoted,
        queries,
    }
}

fn rate(events: u64, seconds: f64) -> f64 {
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    if seconds > 0.0 { f64::from(events) / seconds } else { 0.0 }
}

fn outcome(replay: &Replay) -> String {
    let refusal = replay.plan.as_ref().and_then(|plan| plan.refusal.clone());
    let failure = replay.failure.as_ref().map(|failure| failure.reason.clone());
    let differs = replay.difference.as_ref().filter(|difference| !difference.is_none());
    let differs = differs.map(|found| {
        let (added, removed, changed) = (found.added, found.removed, found.changed);
        format!("{added} rows added, {removed} removed, {changed} changed: {:?}", found.samples)
    });
    failure
        .or(replay.unreadable.clone())
        .or(refusal)
        .or(differs)
        .unwrap_or_else(|| format!("it is {}", replay.phase))
}

/// A plan in a sentence.
struct Planned<'p> {
    from: Sequence,
    plan: &'p Plan,
}

impl std::fmt::Display for Planned<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, plan } = self;
        write!(f, "replay {CUSTOMER_VALUE} from {from} on: ")?;
        match &plan.snapshot {
            Some(snapshot) => write!(f, "start from the snapshot at {}", snapshot.sequence)?,
            None => write!(f, "start empty")?,
        }
        write!(f, ", fold {} ({} to {})", counted(plan.events, "event"), plan.fold_from, plan.head)?;
        write!(f, ", read {} KiB, need {} KiB of disk", plan.log_bytes / 1024, plan.disk_bytes / 1024)?;
        if let Some(estimated_ms) = plan.estimated_ms {
            write!(f, ", about {estimated_ms} ms")?;
        }
        for passed in plan.passed_over.iter().take(PASSED_OVER_TOLD) {
            write!(f, "\n         not from {}: {}", passed.name, passed.reason)?;
        }
        match plan.passed_over.len().saturating_sub(PASSED_OVER_TOLD) {
            0 => Ok(()),
            more => write!(f, "\n         nor from {more} others"),
        }
    }
}
