//! Durable appends: one client, many clients, batches; each beside the disk's own figure for the same bytes.

use super::{
    disk::{self, Shape},
    load::{self, Load},
};
use crate::{
    measure::{Latencies, lossy, rate, timed},
    report::Report,
};
use annals_event::{ExpectedVersion, record};
use annals_store::EventStore;
use annals_store_log::LogStore;
use anyhow::Result;
use std::{path::Path, sync::Arc, time::Duration};

const CLIENTS: usize = 64;

/// How much of each is done.
pub(crate) struct Sizes {
    pub(crate) single: usize,
    pub(crate) each_of_64: usize,
    pub(crate) batched: usize,
}

struct Names {
    p50: &'static str,
    p99: &'static str,
    p999: &'static str,
    rate: &'static str,
}

const DISK: Names = Names {
    p50: "disk.sync_p50_us",
    p99: "disk.sync_p99_us",
    p999: "disk.sync_p999_us",
    rate: "disk.syncs_per_s",
};
const ONE: Names = Names {
    p50: "append.1.p50_us",
    p99: "append.1.p99_us",
    p999: "append.1.p999_us",
    rate: "append.1.events_per_s",
};
const ONE_CONDITIONAL: Names = Names {
    p50: "append.1.conditional.p50_us",
    p99: "append.1.conditional.p99_us",
    p999: "append.1.conditional.p999_us",
    rate: "append.1.conditional.events_per_s",
};
const MANY: Names = Names {
    p50: "append.64.p50_us",
    p99: "append.64.p99_us",
    p999: "append.64.p999_us",
    rate: "append.64.events_per_s",
};
const MANY_CONDITIONAL: Names = Names {
    p50: "append.64.conditional.p50_us",
    p99: "append.64.conditional.p99_us",
    p999: "append.64.conditional.p999_us",
    rate: "append.64.conditional.events_per_s",
};

pub(crate) async fn run(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    let store = LogStore::open(folder.join("append"), annals_store_log::Options::default()).await?;
    let store: Arc<dyn EventStore> = Arc::new(store);
    let load = Load::new()?;
    let bytes = record::encoded_len(&load::stream(0)?, &load.event());

    let singles = singles(&store, &load, folder, bytes, sizes.single).await?;
    let disk_rate = rate(sizes.single, singles.disk.iter().sum());
    let disk = Latencies::new(singles.disk);
    let disk_p50 = disk.quantile_us(0.5);
    latencies(report, &DISK, &disk, None);
    report.add(DISK.rate, "1/s", disk_rate, None);
    let extending = Latencies::new(singles.extending).quantile_us(0.5);
    report.add("disk.extending.sync_p50_us", "us", extending, Some(disk_p50));
    for (names, times) in [(&ONE, singles.unconditional), (&ONE_CONDITIONAL, singles.conditional)] {
        let spent = times.iter().sum();
        latencies(report, names, &Latencies::new(times), Some(&disk));
        report.add(names.rate, "events/s", rate(sizes.single, spent), Some(disk_rate));
    }
    for (names, conditional) in [(&MANY, false), (&MANY_CONDITIONAL, true)] {
        let (times, spent) = timed(clients(&store, &load, sizes.each_of_64, conditional)).await;
        latencies(report, names, &Latencies::new(times?), Some(&disk));
        // At best every sync carries one event of each client.
        let best = lossy(CLIENTS) / (disk_p50 / 1e6);
        report.add(names.rate, "events/s", rate(CLIENTS * sizes.each_of_64, spent), Some(best));
    }
    for batches in [&HUNDREDS, &THOUSANDS] {
        batches.run(report, &store, &load, folder, sizes.batched).await?;
    }
    Ok(())
}

/// Batches of one size, and the names of their figures.
struct Batches {
    count: usize,
    disk: &'static str,
    extending: &'static str,
    rate: &'static str,
    conditional_rate: &'static str,
}

const HUNDREDS: Batches = Batches {
    count: 100,
    disk: "disk.batch100.events_per_s",
    extending: "disk.extending.batch100.events_per_s",
    rate: "append.batch100.events_per_s",
    conditional_rate: "append.batch100.conditional.events_per_s",
};
const THOUSANDS: Batches = Batches {
    count: 1_000,
    disk: "disk.batch1000.events_per_s",
    extending: "disk.extending.batch1000.events_per_s",
    rate: "append.batch1000.events_per_s",
    conditional_rate: "append.batch1000.conditional.events_per_s",
};

impl Batches {
    /// `events` in batches of this size, after the disk's own writes of the same bytes.
    async fn run(
        &self,
        report: &mut Report,
        store: &Arc<dyn EventStore>,
        load: &Load,
        folder: &Path,
        events: usize,
    ) -> Result<()> {
        let (count, batches) = (self.count, events / self.count);
        let bytes = count * record::encoded_len(&load::stream(0)?, &load.event());
        let disk = |shape| anyhow::Ok(disk::writes(folder, shape, bytes, batches)?.iter().sum());
        let preallocated = rate(batches * count, disk(Shape::Preallocated)?);
        let extending = rate(batches * count, disk(Shape::Extending)?);
        report.add(self.disk, "events/s", preallocated, None);
        report.add(self.extending, "events/s", extending, Some(preallocated));
        for (name, conditional, stream) in
            [(self.rate, false, 20_000 + count), (self.conditional_rate, true, 10_000 + count)]
        {
            let spent = batched(store, load, stream, count, batches, conditional).await?;
            report.add(name, "events/s", rate(batches * count, spent), Some(preallocated));
        }
        Ok(())
    }
}

fn latencies(report: &mut Report, names: &Names, times: &Latencies, baseline: Option<&Latencies>) {
    for (name, share) in [(names.p50, 0.5), (names.p99, 0.99), (names.p999, 0.999)] {
        report.add(
            name,
            "us",
            times.quantile_us(share),
            baseline.map(|baseline| baseline.quantile_us(share)),
        );
    }
}

/// The times of single writes and of single appends.
#[derive(Default)]
struct Singles {
    disk: Vec<Duration>,
    extending: Vec<Duration>,
    unconditional: Vec<Duration>,
    conditional: Vec<Duration>,
}

/// Measures in turns, so that all see the same machine, however busy it is.
async fn singles(
    store: &Arc<dyn EventStore>,
    load: &Load,
    folder: &Path,
    bytes: usize,
    count: usize,
) -> Result<Singles> {
    const TURNS: usize = 20;
    let mut singles = Singles::default();
    for turn in 0..TURNS {
        let count = count / TURNS;
        singles.disk.extend(disk::writes(folder, Shape::Preallocated, bytes, count)?);
        singles.extending.extend(disk::writes(folder, Shape::Extending, bytes, count)?);
        let (times, more) = (&mut singles.unconditional, &mut singles.conditional);
        let mut clients = [(times, 1_000, None), (more, 1_001, Some(turn * count))];
        if turn % 2 == 1 {
            // Whoever comes first may have it easier.
            clients.reverse();
        }
        for (times, stream, from) in clients {
            times.extend(client(store.clone(), load.clone(), stream, count, from).await?);
        }
    }
    Ok(singles)
}

/// One client that awaits each of its appends; conditional ones begin at version `from`.
async fn client(
    store: Arc<dyn EventStore>,
    load: Load,
    stream: usize,
    count: usize,
    from: Option<usize>,
) -> Result<Vec<Duration>> {
    let stream = load::stream(stream)?;
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let expected = from.map_or(Ok(ExpectedVersion::Any), |from| load::at(from + n))?;
        let append = load.append(&stream, 1, expected);
        let (receipt, spent) = timed(store.append(append)).await;
        receipt?;
        times.push(spent);
    }
    Ok(times)
}

async fn clients(
    store: &Arc<dyn EventStore>,
    load: &Load,
    count: usize,
    conditional: bool,
) -> Result<Vec<Duration>> {
    let (first, from) = if conditional { (3_000, Some(0)) } else { (2_000, None) };
    let start = |n| tokio::spawn(client(store.clone(), load.clone(), first + n, count, from));
    let running: Vec<_> = (0..CLIENTS).map(start).collect();
    let mut times = Vec::with_capacity(CLIENTS * count);
    for client in running {
        times.extend(client.await??);
    }
    Ok(times)
}

/// How long one client waits for all of its batches. Making them counts neither for the log nor for the disk.
async fn batched(
    store: &Arc<dyn EventStore>,
    load: &Load,
    stream: usize,
    count: usize,
    batches: usize,
    conditional: bool,
) -> Result<Duration> {
    let stream = load::stream(stream)?;
    let mut waited = Duration::ZERO;
    for batch in 0..batches {
        let expected = if conditional { load::at(batch * count)? } else { ExpectedVersion::Any };
        let (receipt, spent) = timed(store.append(load.append(&stream, count, expected))).await;
        receipt?;
        waited += spent;
    }
    Ok(waited)
}
