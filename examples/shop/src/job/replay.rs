//! Rebuilds a read model from the middle of the log, verifies it against the live one and promotes it, while
//! queries go on being answered.

use super::query_loop::QueryLoop;
use crate::orders::read_models::CUSTOMER_VALUE;
use crate::report::ReplayReport;
use crate::shop::Shop;
use annals::aggregate::Cause;
use annals::event::Sequence;
use annals::projection::Plan;
use annals::replay::{Phase, Replay, ReplayId, ReplayMode, ReplayRequest, ReplayStatus, Replays};
use annals::service::counted;
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// How often the progress bar is brought up to date.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);
/// Of so many snapshots that the plan does not use the reason is told; there may be dozens.
const PASSED_OVER_TOLD: usize = 3;

/// Replays the customers' values from the middle of the log.
pub async fn replay(shop: &Shop) -> Result<ReplayReport> {
    let head = shop.store.events().head().await?.last;
    let from = Sequence::new(head.get().div_ceil(2)).max(Sequence::FIRST);
    let plan = plan(&shop.replays, from).await?;
    eprintln!("plan     {}", Planned { from, plan: &plan });
    let queries = QueryLoop::start(shop).await?;
    let begun = Instant::now();
    let status = rebuild(&shop.replays, from).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let queries = queries.stop().await?;
    let report = report(&status.replay, seconds, queries);
    eprintln!("replay   {report}");
    if !report.verified || !report.promoted {
        bail!("the replay of {CUSTOMER_VALUE} was not promoted: {}", outcome(&status.replay));
    }
    Ok(report)
}

/// What a replay would do. Nothing is touched.
async fn plan(replays: &Replays, from: Sequence) -> Result<Plan> {
    let id = request(replays, from, ReplayMode::Plan).await?;
    match replays.planned(id).await {
        Ok(plan) => Ok(plan),
        Err(status) => bail!("a replay from {from} on cannot be done: {}", outcome(&status.replay)),
    }
}

async fn rebuild(replays: &Replays, from: Sequence) -> Result<ReplayStatus> {
    let id = request(replays, from, ReplayMode::PromoteIfIdentical).await?;
    let bar = progress_bar();
    let settled = replays.settled(id);
    tokio::pin!(settled);
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    let status = loop {
        tokio::select! {
            status = &mut settled => break status,
            _ = ticks.tick() => show(&bar, replays.status(id)),
        }
    };
    bar.finish();
    Ok(status)
}

async fn request(replays: &Replays, from: Sequence, mode: ReplayMode) -> Result<ReplayId> {
    let id = ReplayId::generate();
    let request = ReplayRequest { read_model: CUSTOMER_VALUE.to_owned(), from, mode };
    replays.request(id, request, Cause::new().actor("the main job")).await?;
    Ok(id)
}

fn progress_bar() -> ProgressBar {
    let template = "{prefix:>8} {wide_bar} {percent:>3}%  {msg}  {per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_prefix("replay").with_style(style)
}

fn show(bar: &ProgressBar, status: Option<ReplayStatus>) {
    let Some(status) = status else { return };
    bar.set_message(status.replay.phase.to_string());
    if let Some(progress) = status.progress {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }
}

fn report(replay: &Replay, seconds: f64, queries: u64) -> ReplayReport {
    let plan = replay.plan.clone().unwrap_or_default();
    ReplayReport {
        read_model: replay.read_model.clone(),
        from: replay.from,
        snapshot_sequence: plan.snapshot.map_or(0, |snapshot| snapshot.sequence.get()),
        events: plan.events,
        seconds,
        events_per_second: rate(plan.events, seconds),
        verified: replay.difference.as_ref().is_some_and(|difference| difference.is_none()),
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
