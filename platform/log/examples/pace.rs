//! How fast the log is on this machine, as ratios to what its disk can do:
//! `cargo run --release -p annals-log --example pace -- [FOLDER]`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a program that measures and prints"
)]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName, Version};
use annals_log::{Direction, Log, Options, ReadBudget, StreamRead};
use std::{
    fs::File,
    hint::black_box,
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 2_000;
const BATCH: usize = 1_000;

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(folder).unwrap();
    let log = Log::open(&folder.path().join("log"), Options::default()).unwrap();

    // Turn by turn, so that both meet the same machine.
    let raw = Raw::new(folder.path(), ROUNDS * 512);
    let (mut disk, mut times): (Vec<_>, Vec<_>) =
        (0..ROUNDS).map(|n| (raw.write(512), timed(|| append(&log, &format!("one-{n}"), 1)))).unzip();
    let (disk, p50) = (median(&mut disk), median(&mut times));
    println!("disk: write + fdatasync of 512 bytes: p50 {disk:?}");
    println!("1 client: p50 {p50:?}, {:.2} of the disk's", ratio(p50, disk));

    let (clients, each) = (64, 4_000);
    let before = log.stats();
    let took = timed(|| {
        thread::scope(|scope| {
            for client in 0..clients {
                let log = &log;
                scope
                    .spawn(move || (0..each).for_each(|n| append(log, &format!("c{client}-{}", n % 100), 1)));
            }
        });
    });
    let (events, syncs) = (clients * each, log.stats().syncs - before.syncs);
    println!(
        "{clients} clients: {:.0} events/s, {:.1} events a sync",
        rate(events, took),
        per(events, syncs)
    );
    println!("  target: {:.0} events/s (0.8 x 64 / p50)", 0.8 * 64.0 / p50.as_secs_f64());

    let (bytes, batches) = (BATCH * 227, 400);
    let raw = Raw::new(folder.path(), bytes * batches);
    let (mut disk, mut times): (Vec<_>, Vec<_>) =
        (0..batches).map(|n| (raw.write(bytes), timed(|| append(&log, &format!("b-{n}"), BATCH)))).unzip();
    let (disk, p50) = (median(&mut disk), median(&mut times));
    println!(
        "batches of {BATCH}: {:.0} events/s, {:.2} of the disk's rate",
        rate(BATCH, p50),
        ratio(disk, p50)
    );

    let budget = ReadBudget { bytes_max: 1 << 20, events_max: usize::MAX };
    for decoded in [false, true] {
        read_all(&log, budget, decoded);
        let mut events = 0;
        let took = timed(|| events = read_all(&log, budget, decoded));
        let what = if decoded { "decoded" } else { "headers" };
        println!("whole log, {what}: {:.2} million events/s ({events} events)", rate(events, took) / 1e6);
    }

    let read = StreamRead { from: Version::FIRST, direction: Direction::Forward, events_max: 100 };
    let mut times: Vec<Duration> = (0..64)
        .flat_map(|client| (0..20).map(move |n| StreamName::new(format!("c{client}-{n}")).unwrap()))
        .map(|stream| timed(|| black_box(log.read_stream(&stream, read).unwrap()).len()))
        .collect();
    let slowest = times.iter().max().copied().unwrap();
    println!("a stream's events (40, interleaved): p50 {:?}, slowest {slowest:?}", median(&mut times));
    let stream = StreamName::new("b-7").unwrap();
    let mut times: Vec<Duration> =
        (0..100).map(|_| timed(|| black_box(log.read_stream(&stream, read).unwrap()).len())).collect();
    println!("100 events of a stream: p50 {:?}", median(&mut times));

    while log.stats().events < 10_000_000 && std::env::var_os("FULL").is_some() {
        let n = log.stats().events;
        thread::scope(|scope| {
            for client in 0..4 {
                let log = &log;
                scope.spawn(move || append(log, &format!("f{client}-{n}"), BATCH));
            }
        });
    }
    let (events, segments) = (log.head(), log.stats().segments);
    let took = timed(|| log.close().unwrap());
    println!("close: {took:?} ({events} events, {segments} segments)");
    drop(log);
    let mut log = None;
    let took = timed(|| log = Some(Log::open(&folder.path().join("log"), Options::default()).unwrap()));
    println!("open after a clean stop: {took:?}");
}

fn append(log: &Log, stream: &str, count: usize) {
    let event = |_| NewEvent::json(EventType::new("order.placed").unwrap(), vec![b'x'; 150]);
    let stream = StreamName::new(stream).unwrap();
    log.append(Append::to(stream, ExpectedVersion::Any, (0..count).map(event).collect())).unwrap();
}

fn read_all(log: &Log, budget: ReadBudget, decoded: bool) -> usize {
    let (mut from, mut count) = (Sequence::FIRST, 0);
    loop {
        let block = log.read(from, budget).unwrap();
        if block.events.is_empty() {
            return count;
        }
        for event in block.events.iter() {
            count += 1;
            black_box(event.sequence());
            if decoded {
                black_box(event.to_recorded().unwrap());
            }
        }
        from = block.next;
    }
}

/// What the disk does without a log: writing and syncing over zeros that are there already.
struct Raw {
    file: File,
    at: AtomicU64,
}

impl Raw {
    fn new(folder: &Path, room_bytes: usize) -> Self {
        let file = File::create(folder.join("raw")).unwrap();
        let zeros = vec![0; 1 << 20];
        for step in 0..=room_bytes >> 20 {
            file.write_all_at(&zeros, (step as u64) << 20).unwrap();
        }
        file.sync_all().unwrap();
        Self { file, at: AtomicU64::new(0) }
    }

    fn write(&self, bytes: usize) -> Duration {
        let data = vec![7; bytes];
        timed(|| {
            self.file.write_all_at(&data, self.at.fetch_add(bytes as u64, Ordering::Relaxed)).unwrap();
            self.file.sync_data().unwrap();
        })
    }
}

fn timed<T>(mut run: impl FnMut() -> T) -> Duration {
    let begun = Instant::now();
    black_box(run());
    begun.elapsed()
}
fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
fn per(count: usize, syncs: u64) -> f64 {
    count as f64 / syncs as f64
}
