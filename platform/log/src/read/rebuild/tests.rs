use super::*;
use crate::care::When;
use crate::disk::{Disk, DiskFile, DiskLock, FileId};
use crate::format::{IndexedRecord, VersionRange};
use crate::{Direction, Environment, Options, RealDisk, Retention, StreamRead, Writer};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName, Version};
use parking_lot::Mutex;
use std::{io, path::Path, path::PathBuf};

type Hook = Box<dyn FnOnce() + Send>;

/// A disk that does something else first, once, when a file of this name is opened after so many times.
struct Hooked {
    disk: RealDisk,
    hook: Mutex<Option<(String, u32, Hook)>>,
}

impl Disk for Hooked {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let is_due = |(at, times, _): &mut (String, u32, Hook)| {
            at == name && std::mem::replace(times, times.saturating_sub(1)) == 0
        };
        let hook = self.hook.lock().take_if(is_due);
        if let Some((.., hook)) = hook {
            hook();
        }
        self.disk.open(name)
    }
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create_new(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock(name)
    }
    fn id_of(&self, name: &str) -> io::Result<FileId> {
        self.disk.id_of(name)
    }
    fn display(&self, name: &str) -> PathBuf {
        self.disk.display(name)
    }
}

const SEGMENT_BYTES: u64 = 4 << 10;

fn open(folder: &Path) -> (Arc<Hooked>, Writer) {
    let disk = Hooked { disk: RealDisk::open(folder).unwrap(), hook: Mutex::default() };
    let disk = Arc::new(disk);
    let environment = Environment { disk: disk.clone(), ..Environment::real(folder).unwrap() };
    (disk, Writer::open(environment, Options::with_segment_bytes(SEGMENT_BYTES)).unwrap())
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

/// Appends one event, and fills the segment with others so that the next one begins a new segment.
fn fill_segment(writer: &mut Writer, name: Option<&str>) {
    let append = |name: &str| {
        let event = NewEvent::json(EventType::new("t").unwrap(), "{}");
        Append::to(stream(name), ExpectedVersion::Any, vec![event])
    };
    let segments = writer.stats().segments;
    let one = |writer: &mut Writer, name| writer.commit(vec![append(name)]).pop().unwrap().unwrap();
    if let Some(name) = name {
        one(writer, name);
    }
    while writer.stats().segments == segments {
        one(writer, "other");
    }
}

/// A closed log of six segments; stream `a` has events in those that are named.
fn closed(folder: &Path, with_a: &[u64]) {
    let (_, mut writer) = open(folder);
    for segment in 1..6 {
        fill_segment(&mut writer, with_a.contains(&segment).then_some("a"));
    }
    writer.close().unwrap();
}

fn versions(reader: &Reader, from: u64) -> Result<Vec<u64>, ReadError> {
    let read = StreamRead { from: Version::new(from), direction: Direction::Forward, events_max: 100 };
    let events = reader.read_stream(&stream("a"), read)?;
    Ok(events.iter().map(|event| event.version().get()).collect())
}

fn readable(reader: &Reader, number: u32) -> Readable {
    let segments = reader.shared.state.read().segments.clone();
    let at = segments.iter().position(|segment| segment.number.0 == number).unwrap();
    Readable::sealed(&segments[at], &segments[at + 1])
}

/// Where the segment's index says that stream `a` has events before.
fn link(reader: &Reader, number: u32) -> u32 {
    let none = VersionRange { from: Version::FIRST, to: Version::ZERO };
    let index = index(reader, &readable(reader, number)).unwrap();
    index.find(reader.shared.hasher.hash("a"), none).unwrap().previous_segment
}

#[test]
fn retention_while_an_index_is_made_again_never_lets_it_point_at_itself() {
    for dropped in [1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        closed(folder.path(), &[1, 2, 4]);
        std::fs::remove_file(folder.path().join("0000000004.index")).unwrap();
        let (disk, writer) = open(folder.path());
        let reader = writer.reader();
        let beside = reader.clone();
        // It is seen that the index of segment 3 is there; then the links of segment 4 are looked for from segment 3 down, and
        // when they come to 3, the oldest ones go.
        let drop_oldest = move || {
            let bytes_max = Some((6 - dropped) * SEGMENT_BYTES);
            let retained =
                crate::care::retain(&beside, Retention { age_max: None, bytes_max }, When::Now).unwrap();
            assert_eq!(u64::from(retained.segments), dropped);
        };
        *disk.hook.lock() = Some(("0000000003.index".into(), 1, Box::new(drop_oldest)));
        let link = link(&reader, 4);
        assert!(disk.hook.lock().is_none(), "retention ran meanwhile");
        assert!(link < 4, "segment 4 says that what was before stands in segment {link}");
        assert_eq!(versions(&reader, 3).unwrap(), [3]);
        assert!(dropped == 1 || matches!(versions(&reader, 2), Err(ReadError::BelowStart { .. })));
        drop(writer);
        assert_eq!(versions(&open(folder.path()).1.reader(), 3).unwrap(), [3], "and so says the file");
    }
}

#[test]
fn an_index_that_points_at_itself_is_rebuilt_and_the_stream_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path(), &[1, 2, 4]);
    let (_, writer) = open(folder.path());
    let reader = writer.reader();
    let four = readable(&reader, 4);
    let mut planted = scan(&reader, &four).unwrap();
    planted.relink(|_, _| 4);
    let planted = planted.seal(index_of(&four));
    drop((reader, writer));
    std::fs::write(folder.path().join("0000000004.index"), planted.as_bytes()).unwrap();

    let (_, writer) = open(folder.path());
    let reader = writer.reader();
    assert_eq!(link(&reader, 4), 2, "the newest segment before that has events of the stream");
    assert_eq!(versions(&reader, 1).unwrap(), [1, 2, 3]);
    let stored = std::fs::read(folder.path().join("0000000004.index")).unwrap();
    assert_ne!(stored, planted.as_bytes()[..], "the file is mended, too");
}

#[test]
fn a_link_in_memory_that_does_not_go_down_is_named_and_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut writer) = open(folder.path());
    fill_segment(&mut writer, Some("a"));
    fill_segment(&mut writer, Some("a"));
    let reader = writer.reader();
    {
        let mut state = reader.shared.state.write();
        let sealed = state.unindexed.pop().unwrap();
        let mut index = ActiveIndex::default();
        let posting = crate::format::Posting { offset: 512, bytes: 1, crc: 0 };
        let stream = reader.shared.hasher.hash("a");
        index.add(&[IndexedRecord { stream, version: Version::new(2), posting }], 2);
        state.unindexed.push(Arc::new(Unwritten { of: sealed.of, index }));
    }
    let error = versions(&reader, 1).unwrap_err();
    assert!(error.to_string().contains("does not name an earlier segment"), "{error}");
}

/// A closed log of so many segments, each with an event of stream `a`; returns the bytes of the indexes.
fn long_log(folder: &Path, segments: u32) -> Vec<Vec<u8>> {
    let (_, mut writer) = open(folder);
    (1..segments).for_each(|_| fill_segment(&mut writer, Some("a")));
    writer.close().unwrap();
    index_files(folder, segments)
}

fn index_files(folder: &Path, segments: u32) -> Vec<Vec<u8>> {
    let file = |number| folder.join(SegmentNumber(number).index_file_name());
    (1..segments).map(|number| std::fs::read(file(number)).unwrap()).collect()
}

/// Runs with so little stack that going down once for each segment would not do.
fn with_little_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(128 << 10).spawn(run).unwrap().join().unwrap()
}

#[test]
fn indexes_that_are_all_unusable_are_made_again_one_after_the_other() {
    const SEGMENTS: u32 = 100;
    let folder = tempfile::tempdir().unwrap();
    let whole = long_log(folder.path(), SEGMENTS);
    // Of another format, of another log, cut, and damaged within.
    let spoil: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[8] += 1,
        |bytes| bytes[16] ^= 1,
        |bytes| bytes.truncate(bytes.len() - 1),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
    ];
    for spoil in spoil {
        for (number, bytes) in (1..).zip(&whole) {
            let mut bytes = bytes.clone();
            spoil(&mut bytes);
            std::fs::write(folder.path().join(SegmentNumber(number).index_file_name()), bytes).unwrap();
        }
        let (_, writer) = open(folder.path());
        let reader = writer.reader();
        let found = with_little_stack(move || versions(&reader, 1).unwrap());
        assert!(found.into_iter().eq(1..u64::from(SEGMENTS)), "all events of the stream");
        assert_eq!(index_files(folder.path(), SEGMENTS), whole, "the files are mended, too");
    }
}
