//! Lives of a log: a server starts, the judge looks at what is there, clients append, the server dies; again and
//! again.

use crate::{
    card::{Finding, Violations},
    judge::{Judge, Tally},
    process::Server,
    random::Random,
    workload::{Client, Mix, Payload, watch},
};
use annals_store_grpc::GrpcStore;
use anyhow::{Context, Result};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long a cycle may take, so that a server that hangs is noticed.
const CYCLE_TIME_MAX: Duration = Duration::from_secs(60);
/// How often the judge checks whether it is time for the end.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Where servers live and how they die.
pub(crate) trait Ground {
    /// Starts a server on what the previous one left.
    async fn start(&mut self) -> Result<Server>;
    /// Ends it in the middle of everything.
    async fn crash(&mut self, server: Server) -> Result<()>;
}

/// What happens in each cycle.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) clients: u64,
    pub(crate) mix: Mix,
    pub(crate) payload: Payload,
    /// The server dies after at most this many answers, possibly none.
    pub(crate) answers_max: u64,
    /// And after at most this much more time.
    pub(crate) delay_ms_max: u64,
}

/// One log through `cycles` deaths. Ends early if something is wrong: nothing after that would tell more.
pub(crate) async fn live(
    ground: &mut impl Ground,
    plan: Plan,
    cycles: u64,
    random: &mut Random,
) -> Result<(Tally, Violations)> {
    let judge = Arc::new(Judge::new());
    let mut deaths = 0;
    for _ in 0..cycles {
        let cycle = cycle(ground, plan, &judge, random);
        timeout(CYCLE_TIME_MAX, cycle).await.context("a cycle did not end in time")??;
        deaths += 1;
        if !judge.is_content() {
            break;
        }
    }
    if let Some(server) = start(ground, &judge).await {
        judge.settle_all(&server.client().await?).await?;
        server.kill().await?;
    }
    let judge = Arc::into_inner(judge).context("a client is still there")?;
    let (tally, violations) = judge.finish();
    Ok((Tally { deaths, ..tally }, violations))
}

/// Starts a server on what the previous one left. Not starting is a broken promise.
async fn start(ground: &mut impl Ground, judge: &Judge) -> Option<Server> {
    let started = ground.start().await;
    started.inspect_err(|error| judge.accuse(format!("no start after {}: {error:#}", judge.head()))).ok()
}

async fn cycle(ground: &mut impl Ground, plan: Plan, judge: &Arc<Judge>, random: &mut Random) -> Result<()> {
    let Some(server) = start(ground, judge).await else { return Ok(()) };
    let store = server.client().await?;
    judge.settle(&store).await?;
    let goal = judge.answers() + random.below(plan.answers_max + 1);
    let stop = CancellationToken::new();
    let mut tasks = clients(&store, plan, judge, random, &stop);
    while judge.answers() < goal {
        tokio::select! {
            Some(ended) = tasks.join_next() => {
                ended??;
                judge.accuse(format!("the server stopped answering by itself: {}", server.said()));
                break;
            }
            () = sleep(LOOK_EVERY) => {}
        }
    }
    sleep(Duration::from_millis(random.below(plan.delay_ms_max + 1))).await;
    ground.crash(server).await?;
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Clients at work, and a reader of what they write.
fn clients(
    store: &GrpcStore,
    plan: Plan,
    judge: &Arc<Judge>,
    random: &mut Random,
    stop: &CancellationToken,
) -> JoinSet<Result<()>> {
    let mut tasks = JoinSet::new();
    for number in 0..plan.clients {
        let client = Client::new(number, plan.mix, plan.payload, random.fork(), Arc::clone(judge));
        tasks.spawn(client.run(store.clone(), stop.clone()));
    }
    tasks.spawn(watch(store.clone(), Arc::clone(judge)));
    tasks
}

/// Adds what was judged to a finding.
pub(crate) fn tell(finding: &mut Finding, deaths: &'static str, tally: Tally) {
    finding.count(tally.deaths, deaths);
    finding.count(tally.answered, "answers");
    finding.count(tally.refused, "of them refusals");
    finding.count(tally.repeated, "repeats");
    finding.count(tally.unanswered, "unanswered");
    finding.count(tally.survived_unanswered, "of them survived");
    finding.count(tally.events, "events");
}
