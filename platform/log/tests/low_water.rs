//! A disk that fills up stops the users' appends before it is full, and they go on once there is room again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Receipt, Sequence, StreamName};
use annals_log::sim::{SimClock, SimDisk, SimEntropy};
use annals_log::{AppendError, Environment, Options, ReadBudget, Retention, Writer};
use std::{path::Path, process::Command, sync::Arc};

const KIB: u64 = 1 << 10;
const RESERVE_BYTES: u64 = 256 * KIB;
const SEGMENT_BYTES: u64 = 64 * KIB;

fn options() -> Options {
    let mut options = Options::with_segment_bytes(SEGMENT_BYTES);
    options.reserve_bytes = RESERVE_BYTES;
    options
}

fn append(stream: &str) -> Append {
    let event = NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 1_000]);
    Append::to(StreamName::new(stream).unwrap(), ExpectedVersion::Any, vec![event])
}

fn commit(writer: &mut Writer, append: Append) -> Result<Receipt, AppendError> {
    writer.commit(vec![append]).pop().unwrap()
}

/// Appends until there is no room; returns how often it went well.
fn fill(writer: &mut Writer, stream: &str) -> u64 {
    for count in 0..10_000 {
        match commit(writer, append(stream)) {
            Ok(_) => {}
            Err(AppendError::NoSpace { reason }) => {
                assert!(reason.contains("are kept in reserve"), "{reason}");
                return count;
            }
            Err(error) => panic!("{error}"),
        }
        // As the background does; what does not fit is its own business.
        let _ = writer.prepare_step();
    }
    panic!("the disk never filled up");
}

fn reads_go_on(writer: &Writer) {
    let (reader, mut next) = (writer.reader(), Sequence::FIRST);
    while next <= reader.head() {
        next = reader.read(next, ReadBudget { bytes_max: 1 << 20, events_max: 1_000 }).unwrap().next;
    }
}

/// What must hold on a disk of which `free_bytes` says what is free, until `make_room` makes some.
fn judge(mut writer: Writer, free_bytes: impl Fn() -> u64, make_room: impl FnOnce()) {
    let by_users = fill(&mut writer, "order-1");
    assert!(by_users > 0);
    assert!(free_bytes() >= RESERVE_BYTES - SEGMENT_BYTES, "{} bytes are left", free_bytes());
    reads_go_on(&writer);
    let repeated = append("order-2");
    assert!(commit(&mut writer, repeated.clone()).is_err());

    let by_platform = fill(&mut writer, "$replay-1");
    assert!(by_platform > 50, "{by_platform} appends of the platform went well");
    assert!(free_bytes() >= RESERVE_BYTES / 4, "{} bytes are left", free_bytes());
    assert!(commit(&mut writer, append("order-1")).is_err());
    reads_go_on(&writer);

    make_room();
    let receipt = commit(&mut writer, repeated).unwrap();
    assert_eq!(receipt.head.get(), by_users + by_platform + 1, "nothing refused was written");
    assert!(!receipt.repeated);
    assert!(fill(&mut writer, "order-1") > 0);

    // Dropping what is old makes room, too.
    writer.retain(Retention { bytes_max: Some(0), ..Retention::default() }).unwrap();
    assert!(fill(&mut writer, "order-1") > 0);
    reads_go_on_from(&writer);
}

fn reads_go_on_from(writer: &Writer) {
    let reader = writer.reader();
    let block = reader.read(reader.first(), ReadBudget { bytes_max: 1, events_max: 1 }).unwrap();
    assert_eq!(block.events.len(), 1);
}

#[test]
fn a_simulated_disk_keeps_its_reserve_and_users_go_on_without_a_restart() {
    let disk = SimDisk::new();
    disk.limit_capacity(Some(1024 * KIB));
    let environment = Environment {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::new(1)),
        entropy: Arc::new(SimEntropy::new(1)),
    };
    let writer = Writer::open(environment, options()).unwrap();
    let free_bytes = || annals_log::Disk::free_bytes(&disk).unwrap();
    judge(writer, free_bytes, || disk.limit_capacity(Some(2048 * KIB)));
}

/// A file system in memory, of this many KiB.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`: this process may not mount.
    fn mount(kib: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let disk = Self { folder };
        disk.mount_with(&format!("size={kib}k")).then_some(disk)
    }

    fn mount_with(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(self.path());
        mount.output().is_ok_and(|output| output.status.success())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the log may still have files open there.
        drop(Command::new("umount").arg("-l").arg(self.folder.path()).output());
    }
}

#[test]
fn a_real_disk_keeps_its_reserve_and_users_go_on_without_a_restart() {
    let Some(disk) = SmallDisk::mount(1024) else {
        println!("skipped: mounting a small file system needs root");
        return;
    };
    let data = disk.path().join("log");
    let writer = Writer::open(Environment::real(&data).unwrap(), options()).unwrap();
    let free_bytes = || annals_log::Disk::free_bytes(&annals_log::RealDisk::open(&data).unwrap()).unwrap();
    judge(writer, free_bytes, || assert!(disk.mount_with("remount,size=2048k")));
}

/// A log on a simulated disk of 3 MiB, and how many appends of an event to a new stream each fit on it.
fn full_of_streams(reserve_bytes: u64) -> (SimDisk, Writer, usize) {
    let disk = SimDisk::new();
    disk.limit_capacity(Some(3072 * KIB));
    let environment = Environment {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::new(1)),
        entropy: Arc::new(SimEntropy::new(1)),
    };
    let mut options = options();
    options.reserve_bytes = reserve_bytes;
    let mut writer = Writer::open(environment, options).unwrap();
    let streams = fill_with_streams(&mut writer, "s");
    fill_with_streams(&mut writer, "$s");
    (disk, writer, streams)
}

fn fill_with_streams(writer: &mut Writer, prefix: &str) -> usize {
    let event = || NewEvent::json(EventType::new("t").unwrap(), "{}");
    let append = |n| {
        let stream = StreamName::new(format!("{prefix}-{n}")).unwrap();
        Append::to(stream, ExpectedVersion::NoStream, vec![event()])
    };
    let fits = |n: &u32| {
        let _ = writer.prepare_step();
        commit(writer, append(*n)).is_ok()
    };
    (0..100_000).take_while(fits).count()
}

#[test]
fn a_disk_full_of_streams_frees_itself() {
    let (_disk, mut writer, streams) = full_of_streams(16 * KIB);
    assert!(streams * 48 > 64 << 10, "{streams} streams need a base far larger than the reserve");
    writer.retain(Retention { bytes_max: Some(0), ..Retention::default() }).unwrap();
    assert!(fill_with_streams(&mut writer, "t") > 0, "and there is room again");
}

#[test]
fn indexes_that_are_written_late_leave_the_reserve_alone() {
    let (disk, writer, streams) = full_of_streams(RESERVE_BYTES);
    let free_bytes = || annals_log::Disk::free_bytes(&disk).unwrap();
    let before = free_bytes();
    writer.write_indexes().unwrap();
    let written = before - free_bytes();
    assert!(written > RESERVE_BYTES / 4, "{written} bytes of indexes of {streams} streams");
    // A base of so many streams must fit, too.
    let kept = RESERVE_BYTES / 4 + 24 * u64::try_from(streams).unwrap();
    assert!(free_bytes() >= kept, "{} bytes are left of {kept}", free_bytes());
}
