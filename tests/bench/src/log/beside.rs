//! How long one client's appends take beside others: a client that is refused, a log that moves on to a new segment,
//! subscribers to whom nothing happens. Each is measured in turns with the same appends alone, so that both see the
//! same machine.

use super::load::{self, Load};
use crate::{
    measure::{Latencies, lossy, timed},
    report::Report,
};
use annals_event::{Category, ExpectedVersion, StreamName};
use annals_store::{EventStore, Filter, Subscribe};
use annals_store_log::{LogStore, Options};
use anyhow::{Result, bail, ensure};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::{AbortHandle, JoinSet};

/// How much of each is done.
pub(crate) struct Sizes {
    /// Appends that are measured, of each kind.
    pub(crate) appends: usize,
    /// Events of the log whose indexes do not fit into their cache.
    pub(crate) indexed: usize,
    /// Segments that are filled while appends are measured.
    pub(crate) rotations: usize,
    /// Subscribers to whom nothing happens.
    pub(crate) subscribers: usize,
}

/// In how many turns the appends are measured alone and beside others.
const TURNS: usize = 10;
/// Streams of the log whose indexes do not fit.
const STREAMS: usize = 20_000;
const APPEND_EVENTS: usize = 1_000;
/// What indexes may take there: less than a single one does.
const INDEX_CACHE_BYTES: usize = 64 << 10;
/// How large the segments are that are filled: the default.
const SEGMENT_BYTES: u64 = 64 << 20;
/// So large that none gets full.
const SEGMENT_BYTES_ENDLESS: u64 = 2 << 30;

struct Names {
    p50: &'static str,
    p99: &'static str,
    max: &'static str,
}

const REFUSED: Names = Names {
    p50: "append.beside_refused.p50_us",
    p99: "append.beside_refused.p99_us",
    max: "append.beside_refused.max_us",
};
const ROTATION: Names = Names {
    p50: "append.beside_rotation.p50_us",
    p99: "append.beside_rotation.p99_us",
    max: "append.beside_rotation.max_us",
};
const IDLE: Names = Names {
    p50: "append.beside_idle.p50_us",
    p99: "append.beside_idle.p99_us",
    max: "append.beside_idle.max_us",
};

pub(crate) async fn run(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    beside_refused(report, folder, sizes).await?;
    beside_rotations(report, folder, sizes).await?;
    beside_idle(report, folder, sizes).await
}

/// Times of the same appends alone and beside others.
#[derive(Default)]
struct Both {
    alone: Vec<Duration>,
    beside: Vec<Duration>,
}

impl Both {
    fn tell(self, report: &mut Report, names: &Names) {
        let (alone, beside) = (Latencies::new(self.alone), Latencies::new(self.beside));
        for (name, share) in [(names.p50, 0.5), (names.p99, 0.99), (names.max, 1.0)] {
            report.add(name, "us", beside.quantile_us(share), Some(alone.quantile_us(share)));
        }
    }
}

/// Ends the task when it is dropped.
struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn times(store: &LogStore, load: &Load, stream: &StreamName, count: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let (receipt, spent) = timed(store.append(load.append(stream, 1, ExpectedVersion::Any))).await;
        receipt?;
        times.push(spent);
    }
    Ok(times)
}

/// One client tries again and again to create a stream that has long existed, on a log whose indexes do not fit into
/// memory.
async fn beside_refused(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    let mut options = Options::default();
    options.index_cache_bytes_max = INDEX_CACHE_BYTES;
    let (store, load) = (LogStore::open(folder.join("refused"), options).await?, Load::new()?);
    for first in (0..sizes.indexed).step_by(APPEND_EVENTS) {
        store.append(load.spread(first, APPEND_EVENTS, STREAMS)?).await?;
    }
    let (own, mut both) = (load::stream(STREAMS + 1)?, Both::default());
    for turn in 0..TURNS {
        let count = sizes.appends / TURNS;
        both.alone.extend(times(&store, &load, &own, count).await?);
        let refused = tokio::spawn(refused(store.clone(), load.clone(), turn));
        let running = Running(refused.abort_handle());
        both.beside.extend(times(&store, &load, &own, count).await?);
        ensure!(!refused.is_finished(), "the client that is to be refused has ended");
        drop(running);
    }
    both.tell(report, &REFUSED);
    Ok(store.close().await?)
}

async fn refused(store: LogStore, load: Load, turn: usize) -> Result<()> {
    for n in 0.. {
        let stream = load::stream((turn + n * 7_919) % STREAMS)?;
        let answer = store.append(load.append(&stream, 1, ExpectedVersion::NoStream)).await;
        ensure!(answer.is_err(), "a stream that exists was created again");
    }
    bail!("it never ends")
}

/// Another client fills segment after segment, as opposed to one that is never full.
async fn beside_rotations(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    let with = |bytes| Options::with_segment_bytes(bytes);
    let load = Load::new()?;
    let bytes = u64::try_from(sizes.rotations)? * SEGMENT_BYTES;
    let mut both = Both::default();
    let rotating = LogStore::open(folder.join("rotating"), with(SEGMENT_BYTES)).await?;
    both.beside = beside_filler(&rotating, &load, bytes).await?;
    ensure!(rotating.stats().segments > 1, "no segment was full");
    rotating.close().await?;
    std::fs::remove_dir_all(folder.join("rotating"))?;
    let endless = LogStore::open(folder.join("endless"), with(SEGMENT_BYTES_ENDLESS)).await?;
    both.alone = beside_filler(&endless, &load, bytes).await?;
    endless.close().await?;
    std::fs::remove_dir_all(folder.join("endless"))?;
    both.tell(report, &ROTATION);
    Ok(())
}

/// Single appends for as long as another client takes to append this many bytes.
async fn beside_filler(store: &LogStore, load: &Load, bytes: u64) -> Result<Vec<Duration>> {
    const FILLER_EVENTS: usize = 100;
    let filler = tokio::spawn({
        let (store, load) = (store.clone(), load.clone());
        async move {
            let mut done = 0;
            while store.stats().bytes < bytes {
                store.append(load.spread(done, FILLER_EVENTS, 1_000_000)?).await?;
                done += FILLER_EVENTS;
            }
            anyhow::Ok(())
        }
    });
    let (own, mut all) = (load::stream(2_000_000)?, Vec::new());
    while !filler.is_finished() {
        all.extend(times(store, load, &own, 100).await?);
    }
    filler.await??;
    Ok(all)
}

/// Subscribers to a category that has no events.
async fn beside_idle(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    let (store, load) = (LogStore::open(folder.join("idle"), Options::default()).await?, Load::new()?);
    let (own, mut both) = (load::stream(0)?, Both::default());
    let mut deliveries = 0;
    for _ in 0..TURNS {
        let count = sizes.appends / TURNS;
        both.alone.extend(times(&store, &load, &own, count).await?);
        let (mut idle, counted) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        let from = store.head().await?.last.next();
        for _ in 0..sizes.subscribers {
            let filter = quiet()?;
            let mut subscription = store.subscribe(Subscribe { from, filter }).await?;
            subscription.next().await?;
            let counted = counted.clone();
            idle.spawn(async move {
                while subscription.next().await.is_ok() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        both.beside.extend(times(&store, &load, &own, count).await?);
        deliveries += counted.load(Ordering::Relaxed);
        // This ends the tasks.
        drop(idle);
    }
    both.tell(report, &IDLE);
    let appends = sizes.appends / TURNS * TURNS;
    let all = lossy(appends) * lossy(sizes.subscribers);
    let name = "append.beside_idle.empty_deliveries";
    report.add(name, "deliveries", lossy(deliveries), Some(all));
    Ok(store.close().await?)
}

fn quiet() -> Result<Filter> {
    Ok(Filter { categories: vec![Category::new("quiet")?], ..Filter::all() })
}
