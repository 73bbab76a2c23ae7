//! However small the pages, a reader that is behind reads the log from the disk once.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_log::{
    Disk, DiskFile, DiskLock, Environment, FileId, Options, ReadBudget, Reader, RealDisk, Writer,
};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A disk that counts the bytes that are read.
struct Counting {
    disk: RealDisk,
    read_bytes: Arc<AtomicU64>,
}

struct CountingFile {
    file: Arc<dyn DiskFile>,
    read_bytes: Arc<AtomicU64>,
}

impl Counting {
    fn counted(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(CountingFile { file, read_bytes: self.read_bytes.clone() })
    }
}

impl Disk for Counting {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(name).map(|file| self.counted(file))
    }
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create_new(name).map(|file| self.counted(file))
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

impl DiskFile for CountingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let got = self.file.read_at(buffer, offset)?;
        self.read_bytes.fetch_add(got as u64, Relaxed);
        Ok(got)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
    fn id(&self) -> io::Result<FileId> {
        self.file.id()
    }
}

/// Reads to the end, page by page, each event once and in order.
fn read_all(readers: &[Reader], budget: ReadBudget) {
    let mut from = Sequence::FIRST;
    while readers.iter().all(|reader| from <= reader.head()) {
        let blocks: Vec<_> = readers.iter().map(|reader| reader.read(from, budget).unwrap()).collect();
        for block in &blocks {
            let sequences = block.events.iter().map(|event| event.sequence().get());
            assert!(sequences.eq(from.get()..block.next.get()) && block.next > from);
            assert!(block.events.len() == 1 || block.events.size_bytes() <= budget.bytes_max);
        }
        from = blocks.iter().map(|block| block.next).max().unwrap();
    }
}

#[test]
fn pages_of_64_kib_read_the_log_once_whatever_the_size_of_its_appends() {
    for (appends, events, payload_bytes) in
        [(4, 10_000, 300), (40, 250, 500), (300, 1, 60_000), (6_000, 1, 1_000)]
    {
        let folder = tempfile::tempdir().unwrap();
        let disk = Counting { disk: RealDisk::open(folder.path()).unwrap(), read_bytes: Arc::default() };
        let read_bytes = disk.read_bytes.clone();
        let environment = Environment { disk: Arc::new(disk), ..Environment::real(folder.path()).unwrap() };
        let mut options = Options::with_segment_bytes(8 << 20);
        options.tail_bytes_max = 0;
        let mut writer = Writer::open(environment, options).unwrap();
        let append = |n| {
            let event = || NewEvent::json(EventType::new("t").unwrap(), vec![b' '; payload_bytes]);
            let stream = StreamName::new(format!("s-{n}")).unwrap();
            Append::to(stream, ExpectedVersion::Any, (0..events).map(|_| event()).collect())
        };
        for group in (0..appends).collect::<Vec<_>>().chunks(50) {
            let results = writer.commit(group.iter().map(append).collect());
            assert!(results.iter().all(Result::is_ok));
        }
        writer.write_indexes().unwrap();
        let log_bytes = writer.stats().bytes;
        for readers in [1, 3] {
            let readers: Vec<Reader> = (0..readers).map(|_| writer.reader()).collect();
            read_bytes.store(0, Relaxed);
            read_all(&readers, ReadBudget { bytes_max: 64 << 10, events_max: 10_000 });
            let read = read_bytes.load(Relaxed);
            let readers = readers.len();
            assert!(
                read <= log_bytes / 10 * 11,
                "{read} bytes read of {log_bytes}: {readers} readers, {appends} appends of {events} events"
            );
        }
    }
}
