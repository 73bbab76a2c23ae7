//! Arbitrary damage to a whole log folder, found by a fuzzer: opening never panics, what is served is what was
//! appended, and nothing that was appended is served anywhere else.
//!
//! `cargo test -p annals-log --test fuzz` runs random inputs for a second each (`BOLERO_RANDOM_ITERATIONS` or
//! `BOLERO_RANDOM_TEST_TIME_MS` say otherwise). How to run it guided by coverage stands in `tests/trust/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "tests"
)]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_log::sim::{SimClock, SimDisk, SimEntropy, Survival};
use annals_log::{Environment, Options, ReadBudget, Reader, Writer};
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};

const STREAMS: u32 = 5;
const GROUPS: u32 = 60;
const SEGMENT_BYTES: u64 = 4096;

/// A log as it was left, and what was answered.
struct Sound {
    files: Vec<(String, Vec<u8>)>,
    records: Vec<Vec<u8>>,
}

static CLOSED: LazyLock<Sound> = LazyLock::new(|| sound(true));
static KILLED: LazyLock<Sound> = LazyLock::new(|| sound(false));

fn environment(disk: &SimDisk) -> Environment {
    let (clock, entropy) = (Arc::new(SimClock::new(1)), Arc::new(SimEntropy::new(7)));
    Environment { disk: Arc::new(disk.clone()), clock, entropy }
}

fn options() -> Options {
    Options::with_segment_bytes(SEGMENT_BYTES)
}

fn append(n: u32) -> Append {
    let event = NewEvent::json(EventType::new("happened").unwrap(), vec![n as u8; (n % 97) as usize]);
    let stream = StreamName::of("fuzz", &(n % STREAMS).to_string()).unwrap();
    Append::to(stream, ExpectedVersion::Any, vec![event])
}

fn sound(close: bool) -> Sound {
    let disk = SimDisk::new();
    let mut writer = Writer::open(environment(&disk), options()).unwrap();
    for group in 0..GROUPS {
        let appends = (0..=group % 3).map(|n| append(group * 3 + n)).collect();
        writer.commit(appends).into_iter().for_each(|answer| drop(answer.unwrap()));
    }
    writer.write_indexes().unwrap();
    writer.checkpoint().unwrap();
    let records = served(&writer.reader());
    let left = if close {
        writer.close().unwrap();
        disk.restarted()
    } else {
        disk.crashed(Survival::Everything)
    };
    let files = left.files().into_iter().map(|name| (name.clone(), left.content(&name).unwrap())).collect();
    Sound { files, records }
}

/// The records that can be read, up to the first that cannot.
fn served(reader: &Reader) -> Vec<Vec<u8>> {
    let (mut records, mut from) = (Vec::new(), reader.first());
    while let Ok(block) = reader.read(from, ReadBudget { bytes_max: 4096, events_max: 50 }) {
        if block.events.is_empty() {
            break;
        }
        records.extend(block.events.iter().map(|event| event.as_bytes().to_vec()));
        from = block.next;
    }
    records
}

/// Changes the files as the bytes say: each seven of them are one change.
fn crumple(files: &mut [(String, Vec<u8>)], changes: &[u8]) {
    for change in changes.chunks_exact(7) {
        let count = files.len();
        let other = files[change[1] as usize % count].1.clone();
        let bytes = &mut files[change[2] as usize % count].1;
        if bytes.is_empty() {
            continue;
        }
        let at = u16::from_le_bytes([change[3], change[4]]) as usize % bytes.len();
        let length = (change[5] as usize * 8).min(bytes.len() - at);
        match change[0] % 6 {
            0 => bytes[at] ^= 1 << (change[6] % 8),
            1 => bytes[at..at + length].fill(0),
            2 => bytes[at..at + length].fill(change[6]),
            3 => bytes.truncate(at),
            4 => {
                let from = change[6] as usize * 16;
                let taken = other.get(from..from + length).unwrap_or_default();
                bytes[at..at + taken.len()].copy_from_slice(taken);
            }
            _ => *bytes = other,
        }
    }
}

fn check(sound: &Sound, changes: &[u8]) {
    let mut files = sound.files.clone();
    crumple(&mut files, changes);
    let disk = SimDisk::new();
    files.into_iter().for_each(|(name, bytes)| disk.replace(&name, bytes));
    let Ok(mut writer) = Writer::open(environment(&disk), options()) else { return };
    let before = served(&writer.reader());
    assert!(before.len() <= sound.records.len(), "the log has events that nobody appended");
    assert_eq!(before, sound.records[..before.len()], "the log serves other events than were appended");
    for n in 0..STREAMS {
        let stream = StreamName::of("fuzz", &n.to_string()).unwrap();
        let _ = writer.reader().stream_version(&stream);
    }
    let answers = writer.commit(vec![append(1_000)]);
    if let [Ok(receipt)] = answers.as_slice() {
        let at = receipt.events.unwrap().first;
        assert!(at > Sequence::new(before.len() as u64), "an event was appended over another");
        drop(writer);
        let again = Writer::open(environment(&disk.restarted()), options()).unwrap();
        assert_eq!(again.reader().head(), at, "what was answered is there after a restart");
    }
}

#[test]
fn no_damage_makes_a_closed_log_panic_or_lie() {
    static RUN: AtomicU64 = AtomicU64::new(0);
    bolero::check!().for_each(|changes: &[u8]| {
        RUN.fetch_add(1, Ordering::Relaxed);
        check(&CLOSED, changes);
    });
    println!("{} damaged folders of closed logs opened", RUN.load(Ordering::Relaxed));
}

#[test]
fn no_damage_makes_a_killed_log_panic_or_lie() {
    static RUN: AtomicU64 = AtomicU64::new(0);
    bolero::check!().for_each(|changes: &[u8]| {
        RUN.fetch_add(1, Ordering::Relaxed);
        check(&KILLED, changes);
    });
    println!("{} damaged folders of killed logs opened", RUN.load(Ordering::Relaxed));
}
