//! Reading what is in the page cache: the whole log, and single streams.

use super::load::{self, Load};
use crate::{
    measure::{Latencies, rate, timed},
    report::Report,
};
use annals_event::{EventBatch, ExpectedVersion, Sequence};
use annals_store::{EventStore, ReadLog, ReadStream};
use annals_store_log::LogStore;
use anyhow::{Result, ensure};
use std::{hint::black_box, os::unix::fs::FileExt, path::Path, time::Instant};

/// What is read.
pub(crate) struct Sizes {
    pub(crate) events: usize,
    pub(crate) streams: usize,
    pub(crate) stream_reads: usize,
}

const STREAM_EVENTS: usize = 100;
const APPEND_EVENTS: usize = 1_000;
const PAGE_BYTES: usize = 1 << 20;

pub(crate) async fn run(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    let store = LogStore::open(folder.join("read"), annals_store_log::Options::default()).await?;
    let load = Load::new()?;
    for first in (0..sizes.events).step_by(APPEND_EVENTS) {
        store.append(load.spread(first, APPEND_EVENTS, sizes.streams)?).await?;
    }
    let contiguous = load::stream(sizes.streams + 1)?;
    store.append(load.append(&contiguous, STREAM_EVENTS, ExpectedVersion::NoStream)).await?;

    let raw = raw_rate(&folder.join("read"), sizes.events)?;
    for _warm_up in 0..1 {
        whole(&store, sizes.events, |_| Ok(())).await?;
    }
    let headers = whole(&store, sizes.events, headers_only).await?;
    report.add("read.headers.events_per_s", "events/s", headers, Some(raw));
    let decoded = whole(&store, sizes.events, fully_decoded).await?;
    report.add("read.decoded.events_per_s", "events/s", decoded, Some(raw));

    let scattered = scattered(&folder.join("read"), sizes)?;
    let interleaved = streams(&store, sizes).await?;
    for (name, share) in [("read.stream100.p50_us", 0.5), ("read.stream100.p99_us", 0.99)] {
        report.add(name, "us", interleaved.quantile_us(share), Some(scattered.quantile_us(share)));
    }
    let mut times = Vec::new();
    for _ in 0..sizes.stream_reads {
        let (page, spent) = timed(store.read_stream(ReadStream::forward(contiguous.clone()))).await;
        ensure!(page?.events.len() == STREAM_EVENTS);
        times.push(spent);
    }
    report.add("read.stream100.contiguous.p50_us", "us", Latencies::new(times).quantile_us(0.5), None);
    Ok(())
}

/// Events a second if reading were only copying the files' bytes out of the page cache.
fn raw_rate(folder: &Path, events: usize) -> Result<f64> {
    let mut block = vec![0; PAGE_BYTES];
    let mut spent = std::time::Duration::ZERO;
    for _warm_then_measured in 0..2 {
        let begun = Instant::now();
        for entry in std::fs::read_dir(folder)? {
            let mut file = std::fs::File::open(entry?.path())?;
            while std::io::Read::read(&mut file, &mut block)? > 0 {
                black_box(&block);
            }
        }
        spent = begun.elapsed();
    }
    Ok(rate(events, spent))
}

/// How long it takes only to read as many bytes at as many places, equally far apart.
fn scattered(folder: &Path, sizes: &Sizes) -> Result<Latencies> {
    const RECORD_BYTES: usize = 384;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let file = std::fs::File::open(entry?.path())?;
        files.push((file.metadata()?.len(), file));
    }
    let total: u64 = files.iter().map(|(bytes, _)| bytes).sum();
    let apart = total / u64::try_from(STREAM_EVENTS)?;
    let mut record = [0; RECORD_BYTES];
    let mut times = Vec::with_capacity(sizes.stream_reads);
    for n in 0..u64::try_from(sizes.stream_reads)? {
        let begun = Instant::now();
        let mut at = n * 7_919 * u64::try_from(RECORD_BYTES)? % apart;
        for (bytes, file) in &files {
            while at < *bytes {
                black_box(file.read_at(&mut record, at)?);
                at += apart;
            }
            at -= bytes;
        }
        times.push(begun.elapsed());
    }
    Ok(Latencies::new(times))
}

async fn whole(
    store: &LogStore,
    events: usize,
    mut look: impl FnMut(&EventBatch) -> Result<()>,
) -> Result<f64> {
    let (mut from, mut seen) = (Sequence::FIRST, 0);
    let begun = Instant::now();
    loop {
        let page = store.read_log(ReadLog { bytes_max: PAGE_BYTES, ..ReadLog::from(from) }).await?;
        look(&page.events)?;
        seen += page.events.len();
        from = page.through.next();
        if page.is_last() {
            break;
        }
    }
    let spent = begun.elapsed();
    ensure!(seen >= events, "read {seen} of {events} events");
    Ok(rate(seen, spent))
}

fn headers_only(batch: &EventBatch) -> Result<()> {
    let mut last = Sequence::ZERO;
    for event in batch.iter() {
        ensure!(event.sequence() > last && !event.event_type().is_empty());
        last = event.sequence();
        black_box((event.version(), event.stream(), event.recorded_at()));
    }
    Ok(())
}

fn fully_decoded(batch: &EventBatch) -> Result<()> {
    for event in batch.iter() {
        black_box(event.to_recorded()?);
    }
    Ok(())
}

/// Streams of 100 events, scattered among all others.
async fn streams(store: &LogStore, sizes: &Sizes) -> Result<Latencies> {
    let mut times = Vec::new();
    for n in 0..sizes.stream_reads {
        let stream = load::stream(n * 7_919 % sizes.streams)?;
        let read = ReadStream { events_max: STREAM_EVENTS, ..ReadStream::forward(stream) };
        let (page, spent) = timed(store.read_stream(read)).await;
        let expected = STREAM_EVENTS.min(sizes.events / sizes.streams);
        ensure!(page?.events.len() == expected);
        times.push(spent);
    }
    Ok(Latencies::new(times))
}
