//! The chain depends on what was appended, in what order and when, and on nothing else: not on the disk, not on the log's
//! secret, and not on how the log was killed, closed, backed up or dropped from.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{
    Append, EventId, EventType, ExpectedVersion, MarkName, NewEvent, RequestId, Sequence, StreamName, Version,
};
use annals_log::sim::{SimDisk, SimEntropy};
use annals_log::{Clock, Environment, Log, OpenError, Options, Reader, Retention, Writer, verify};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

/// 2030-01-01, µs.
const START: i64 = 1_893_456_000_000_000;
const STEP: i64 = 1_000;
const APPENDS: usize = 120;

/// Stands where it is set.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
    fn elapsed_micros(&self) -> u64 {
        u64::try_from(self.now_micros() - START).unwrap()
    }
}

struct Node {
    disk: SimDisk,
    clock: Arc<SetClock>,
    seed: u64,
    options: Options,
    writer: Option<Writer>,
}

impl Node {
    fn new(seed: u64, segment_bytes: u64) -> Self {
        let clock = Arc::new(SetClock(AtomicI64::new(START)));
        let options = Options::with_segment_bytes(segment_bytes);
        let mut node = Self { disk: SimDisk::new(), clock, seed, options, writer: None };
        node.open();
        node
    }

    fn open(&mut self) {
        let (disk, entropy) = (Arc::new(self.disk.clone()), Arc::new(SimEntropy::new(self.seed)));
        let environment = Environment { disk, clock: self.clock.clone(), entropy };
        self.writer = Some(Writer::open(environment, self.options.clone()).unwrap());
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    fn kill(&mut self) {
        self.writer = None;
        self.disk = self.disk.restarted();
        self.open();
    }

    fn close(&mut self) {
        self.writer.take().unwrap().close().unwrap();
        self.open();
    }

    /// All appends of one step; the clock stands meanwhile.
    fn feed(&mut self, step: usize, change: Change) {
        self.clock.0.store(START + i64::try_from(step).unwrap() * STEP, Ordering::Relaxed);
        let answers = self.writer().commit(appends(step, change));
        assert!(answers[0].is_ok() && answers[1].is_ok() && answers[2].is_err(), "{answers:?}");
    }

    /// From the first event that is there on.
    fn chains(&mut self) -> Vec<(Sequence, [u8; 16])> {
        let reader = self.writer().reader();
        let all = reader.first().get()..=reader.head().get();
        all.map(|at| chain_at(&reader, Sequence::new(at))).collect()
    }
}

fn chain_at(reader: &Reader, at: Sequence) -> (Sequence, [u8; 16]) {
    (at, reader.fingerprint(at).unwrap().unwrap().chain)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    /// One mark is set to another value.
    Mark,
}

fn id(step: usize, n: usize) -> [u8; 16] {
    u128::try_from(step * 100 + n).unwrap().to_be_bytes()
}

/// Two streams at once, a mark alone, and what is refused.
fn appends(step: usize, change: Change) -> Vec<Append> {
    let event = |n| NewEvent {
        id: EventId::from_bytes(id(step, n)),
        ..NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 40 + step])
    };
    let (one, other) = (StreamName::new(format!("a-{}", step % 7)).unwrap(), StreamName::new("b-1").unwrap());
    let both = Append::to(one, ExpectedVersion::Any, vec![event(1), event(2)]);
    let at = ExpectedVersion::Exact(Version::new(u64::try_from(step).unwrap()));
    let both = both.write(other.clone(), at, vec![event(3)]);
    let (mark, sequence) =
        (MarkName::new("m").unwrap(), |step: usize| Sequence::new(u64::try_from(step).unwrap()));
    let value = sequence(step + usize::from(change == Change::Mark && step == APPENDS - 1));
    let marked = Append::new().set_mark(mark, step.checked_sub(1).map(sequence), value);
    let refused = Append::to(other, ExpectedVersion::NoStream, vec![event(4)]);
    let name = |n, append| Append { request_id: RequestId::from_bytes(id(step, n)), ..append };
    vec![name(5, both), name(6, marked), name(7, refused)]
}

#[test]
fn equal_appends_make_equal_chains_on_any_disk() {
    let (mut one, mut other) = (Node::new(1, 4 << 10), Node::new(2, 64 << 10));
    for step in 0..APPENDS {
        one.feed(step, Change::None);
        match step {
            30 => other.kill(),
            60 => other.close(),
            90 => one.kill(),
            _ => {}
        }
        other.feed(step, Change::None);
    }
    assert_ne!(one.writer().reader().id(), other.writer().reader().id());
    assert!(one.writer().stats().segments > 3 * other.writer().stats().segments);
    let chains = one.chains();
    assert_eq!(chains.len(), 3 * APPENDS);
    assert_eq!(chains, other.chains());

    let bytes_max = Some(8 << 10);
    one.writer().retain(Retention { bytes_max, ..Retention::default() }).unwrap();
    other.kill();
    let kept = one.chains();
    assert!(kept.len() < chains.len());
    assert_eq!(kept, chains[chains.len() - kept.len()..]);
    assert_eq!(chains, other.chains());
}

#[test]
fn another_mark_makes_another_chain() {
    let [mut one, mut other] = [1, 2].map(|seed| Node::new(seed, 4 << 10));
    for step in 0..APPENDS {
        one.feed(step, Change::None);
        other.feed(step, Change::Mark);
    }
    assert_eq!(one.chains(), other.chains(), "it was set after the last event");
    let end = |node: &mut Node| {
        let event = NewEvent {
            id: EventId::from_bytes([9; 16]),
            ..NewEvent::json(EventType::new("t").unwrap(), "{}")
        };
        let last = Append::to(StreamName::new("c").unwrap(), ExpectedVersion::Any, vec![event]);
        let last = Append { request_id: RequestId::from_bytes([9; 16]), ..last };
        node.writer().commit(vec![last]).pop().unwrap().unwrap();
        node.chains().pop().unwrap()
    };
    assert_ne!(end(&mut one), end(&mut other));
}

fn chains_of(log: &Log) -> Vec<(Sequence, [u8; 16])> {
    let reader = log.reader();
    (1..=log.head().get()).map(|at| chain_at(&reader, Sequence::new(at))).collect()
}

fn append(log: &Log) {
    let event = NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 300]);
    log.append(Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event])).unwrap();
}

#[test]
fn a_log_that_is_backed_up_restored_and_moved_keeps_its_chain() {
    let parent = tempfile::tempdir().unwrap();
    let folder = |name: &str| parent.path().join(name);
    let options = || Options::with_segment_bytes(4 << 10);
    let log = Log::open(&folder("log"), options()).unwrap();
    (0..40).for_each(|_| append(&log));
    log.backup(&folder("backup")).unwrap();
    let chains = chains_of(&log);
    log.close().unwrap();
    drop(log);
    fs::rename(folder("backup"), folder("moved")).unwrap();
    for name in ["moved", "log"] {
        let log = Log::open(&folder(name), Options::default()).unwrap();
        assert_eq!(chains_of(&log), chains, "{name}");
        append(&log);
        assert_eq!(chains_of(&log)[..chains.len()], chains, "{name}");
    }
}

/// Puts another number of a format into a segment's header.
fn set_format(folder: &Path, format: u32) {
    let file = folder.join("0000000001.segment");
    let mut bytes = fs::read(&file).unwrap();
    bytes[8..12].copy_from_slice(&format.to_le_bytes());
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes[..508]);
    bytes[508..512].copy_from_slice(&u32::try_from(crc).unwrap().to_le_bytes());
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_folder_of_another_format_is_refused_by_name() {
    for format in [1, 3] {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("log");
        let log = Log::open(&folder, Options::default()).unwrap();
        append(&log);
        log.close().unwrap();
        drop(log);
        set_format(&folder, format);
        let file = folder.join("0000000001.segment");
        let before = fs::read(&file).unwrap();
        let refused = Log::open(&folder, Options::default()).err().unwrap();
        let text = refused.to_string();
        assert!(matches!(&refused, OpenError::UnknownFormat { file: named, .. } if *named == file), "{text}");
        assert!(text.contains(&format!("has format {format}, but this release reads 2")), "{text}");
        assert_eq!(verify(&folder, |_| {}).unwrap_err().to_string(), text);
        assert_eq!(fs::read(&file).unwrap(), before, "it is left as it is");
    }
}
