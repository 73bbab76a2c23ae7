//! Line 11: 50 subscribers follow the log from the first event to the live end, while they hang up at random moments
//! and the server is killed. Each delivery continues where the last one ended, and is the same for everybody.

mod subscriber;

use super::Run;
use crate::{
    card::Finding,
    ground::{Program, in_memory},
    judge::Judge,
    process::{Server, patient},
    progress::Progress,
    random::Random,
};
use annals_event::{Append, EventId, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_store::{EventStore, ReadLog};
use annals_store_grpc::GrpcStore;
use anyhow::{Context, Result, bail};
use std::{path::Path, sync::Arc, time::Duration};
use subscriber::{Delivered, Subscriber};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

const SUBSCRIBERS: u64 = 50;
const WRITERS: u64 = 4;
/// The category that every third subscriber wants.
const WANTED: &str = "order";
const APPEND_EVENTS_MAX: u64 = 12;
/// How long it may take for all these events to reach everybody.
const TIME_MAX: Duration = Duration::from_secs(3_600);
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(super) async fn judge(run: &Run) -> Result<Finding> {
    timeout(TIME_MAX, deliver(run)).await.context("the subscribers did not get everything in time")?
}

async fn deliver(run: &Run) -> Result<Finding> {
    let (events, kills) = (run.effort.pick(6_000, 260_000), run.effort.pick(15, 300));
    let (mut random, folder) = (run.random(11), in_memory()?);
    let server = Server::start(run.program.command(folder.path())).await?;
    let (address, judge) = (server.address(), Arc::new(Judge::new()));
    let store = server.client_with(patient()).await?;

    let (tell_end, end) = watch::channel(None);
    let mut subscribers = JoinSet::new();
    for number in 0..SUBSCRIBERS {
        let filtered = number % 3 == 0;
        let subscriber =
            Subscriber::new(&address, filtered.then_some(WANTED), random.fork(), Arc::clone(&judge))?;
        subscribers.spawn(subscriber.run(end.clone()));
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let share = events / WRITERS;
        writers.spawn(write(store.clone(), writer, share, random.fork(), Arc::clone(&judge)));
    }
    let progress = run.progress.clone();
    let killer = Killer { program: run.program.clone(), address, kills, events, progress };
    let server = killer.kill_often(server, folder.path(), &store, &mut writers).await?;
    tell_end.send_replace(Some(store.head().await?.last));

    let mut delivered = Vec::new();
    while let Some(subscriber) = subscribers.join_next().await {
        delivered.push(subscriber??);
    }
    let finding = compare(&server.client().await?, judge, &delivered, kills).await?;
    server.kill().await?;
    Ok(finding)
}

/// Appends until the share is written; repeats the request while the server is away.
async fn write(
    store: GrpcStore,
    writer: u64,
    share: u64,
    mut random: Random,
    judge: Arc<Judge>,
) -> Result<()> {
    let mut written = 0;
    while written < share {
        let count = (1 + random.below(APPEND_EVENTS_MAX)).min(share - written);
        let category = if random.one_in(3) { WANTED } else { "customer" };
        let stream = StreamName::new(format!("{category}-{writer}-{}", random.below(50)))?;
        let events: Result<Vec<_>> = (0..count).map(|_| event(&mut random)).collect();
        let append = Append::new();
        let append = Arc::new(append.write(stream, ExpectedVersion::Any, events?));
        let asked = judge.ask(&append);
        let answer = store.append(Append::clone(&append)).await;
        judge.hear(&asked, &answer);
        answer?;
        written += count;
    }
    Ok(())
}

fn event(random: &mut Random) -> Result<NewEvent> {
    let mut payload = vec![0; usize::try_from(random.below(300))?];
    random.fill(&mut payload);
    let id = EventId::from_bytes(random.bytes());
    Ok(NewEvent { id, ..NewEvent::json(EventType::new("happened")?, payload) })
}

struct Killer {
    program: Program,
    address: String,
    kills: u64,
    events: u64,
    progress: Progress,
}

impl Killer {
    /// Kills the server each time another share of the events is written, until all writers are done.
    async fn kill_often(
        &self,
        mut server: Server,
        data: &Path,
        store: &GrpcStore,
        writers: &mut JoinSet<Result<()>>,
    ) -> Result<Server> {
        for kill in 1..=self.kills {
            self.progress.set(format!("{kill} of {} kills", self.kills));
            let share = self.events * kill / (self.kills + 1);
            while store.head().await?.last.get() < share {
                if let Some(ended) = writers.try_join_next() {
                    ended??;
                }
                sleep(LOOK_EVERY).await;
            }
            server.kill().await?;
            server = Server::start(self.program.command_at(data, &self.address)).await?;
        }
        while let Some(ended) = writers.join_next().await {
            ended??;
        }
        Ok(server)
    }
}

/// Each subscriber got exactly what the log has for it, once.
async fn compare(
    store: &GrpcStore,
    judge: Arc<Judge>,
    delivered: &[Delivered],
    kills: u64,
) -> Result<Finding> {
    judge.settle_all(store).await?;
    let (all, wanted) = sequences(store).await?;
    let mut finding = Finding::default();
    for got in delivered {
        let expected = if got.filtered { &wanted } else { &all };
        finding.violations.must(got.sequences == *expected, || {
            let differs = got.sequences.iter().zip(expected).find(|(got, expected)| got != expected);
            format!(
                "a subscriber got {} events of {}; first difference {differs:?}",
                got.sequences.len(),
                expected.len()
            )
        });
    }
    let Some(judge) = Arc::into_inner(judge) else { bail!("a subscriber is still there") };
    let (tally, violations) = judge.finish();
    finding.violations.take_in(violations);
    finding.count(delivered.iter().map(Delivered::events).sum(), "events delivered");
    finding.count(SUBSCRIBERS, "subscribers");
    finding.count(delivered.iter().map(|got| got.hang_ups).sum(), "hang-ups");
    finding.count(kills, "kills");
    finding.count(tally.events, "events in the log");
    Ok(finding)
}

/// The sequence numbers of all events, and of those in the wanted category.
async fn sequences(store: &GrpcStore) -> Result<(Vec<u64>, Vec<u64>)> {
    let (mut all, mut wanted) = (Vec::new(), Vec::new());
    let (mut read, head) = (ReadLog::from(annals_event::Sequence::FIRST), store.head().await?.last);
    while read.from <= head {
        let page = store.read_log(read.clone()).await?;
        for event in page.events.iter() {
            all.push(event.sequence().get());
            if event.category() == WANTED {
                wanted.push(event.sequence().get());
            }
        }
        read.from = page.through.next();
    }
    Ok((all, wanted))
}
