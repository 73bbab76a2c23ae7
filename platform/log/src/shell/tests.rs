use super::*;
use annals_event::{EventType, ExpectedVersion, NewEvent, RequestId};
use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

fn append(name: &str, count: usize) -> Append {
    let event = |_| NewEvent::json(EventType::new("t").unwrap(), "{}");
    let stream = StreamName::new(name).unwrap();
    Append::to(stream, ExpectedVersion::Any, (0..count).map(event).collect())
}
fn open(folder: &Path) -> Log {
    Log::open(folder, Options::with_segment_bytes(64 << 10)).unwrap()
}

#[test]
fn many_clients_share_syncs_and_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let (clients, each) = (16, 100);
    thread::scope(|scope| {
        for client in 0..clients {
            let log = &log;
            scope.spawn(move || {
                for n in 1..=each {
                    let receipt = log.append(append(&format!("c-{client}"), 1)).unwrap();
                    assert_eq!(receipt.versions, [Version::new(n)]);
                    assert!(log.head() >= receipt.head, "visible before it is answered");
                }
            });
        }
    });
    let stats = log.stats();
    assert_eq!((stats.events, stats.appends), (1600, 1600));
    log.close().unwrap();
    drop(log);
    let log = open(folder.path());
    assert_eq!(log.head(), Sequence::new(1600));
    for client in 0..clients {
        let stream = StreamName::new(format!("c-{client}")).unwrap();
        assert_eq!(log.stream_version(&stream), Version::new(each));
    }
}

#[test]
fn a_reader_follows_the_head_without_polling_and_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let total = 500;
    let follower = thread::spawn({
        let log = log.clone();
        move || {
            let mut next = Sequence::FIRST;
            while next <= Sequence::new(total) {
                let (wake, woken) = mpsc::sync_channel(1);
                let wait = log.on_head(next.previous(), Box::new(move |head| wake.send(head).unwrap()));
                assert!(woken.recv().unwrap() >= next);
                drop(wait);
                let budget = ReadBudget { bytes_max: 10_000, events_max: 7 };
                let block = log.read(next, budget).unwrap();
                assert_eq!(block.events.first().unwrap().sequence(), next);
                next = block.next;
            }
        }
    });
    (0..total).for_each(|_| drop(log.append(append("s", 1)).unwrap()));
    follower.join().unwrap();
}

#[test]
fn a_wait_that_is_given_up_is_forgotten_and_one_on_a_closed_log_ends() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let (wake, woken) = mpsc::sync_channel::<Sequence>(1);
    let waiting = |wake: mpsc::SyncSender<Sequence>| {
        log.on_head(Sequence::ZERO, Box::new(move |head| wake.send(head).unwrap()))
    };
    drop(waiting(wake.clone()));
    let wait = waiting(wake);
    log.close().unwrap();
    assert!(woken.recv().is_err(), "both are gone, neither was called");
    drop(wait);
}

#[test]
fn a_full_queue_is_told_and_every_append_taken_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { queue_appends_max: 4, ..Options::with_segment_bytes(64 << 10) };
    let log = Log::open(folder.path(), options).unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let (held, free) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let hold = (held.clone(), free.clone());
    log.submit(append("a", 1), move |answer| {
        answer.get().unwrap();
        hold.0.wait();
        hold.1.wait();
    })
    .unwrap();
    held.wait();
    // The writer's thread is busy with the answer, so what is submitted now waits.
    let counting = |_: usize| {
        let answered = answered.clone();
        log.submit(append("b", 1), move |answer| {
            answer.get().unwrap();
            answered.fetch_add(1, Ordering::Relaxed);
        })
    };
    let results: Vec<_> = (0..6).map(counting).collect();
    let taken: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, true, true, false, false]);
    assert!(matches!(results[4], Err(SubmitError::Full)));
    free.wait();
    log.close().unwrap();
    assert_eq!(answered.load(Ordering::Relaxed), 4);
    assert!(matches!(log.append(append("a", 1)), Err(AppendError::Closed)));
    assert_eq!(log.head(), Sequence::new(5), "reads go on");
}

#[test]
fn a_log_that_was_dropped_without_being_closed_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let first = Append { request_id: RequestId::generate(), ..append("a", 3) };
    let log = open(folder.path());
    let id = log.id();
    let receipt = log.append(first.clone()).unwrap();
    drop(log);
    assert!(folder.path().join("checkpoint").exists());
    let log = open(folder.path());
    assert_eq!(log.id(), id);
    assert_eq!(log.append(first).unwrap(), Receipt { repeated: true, ..receipt });
}

#[test]
fn two_openers_of_one_folder_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let error = Log::open(folder.path(), Options::default()).map(drop).unwrap_err();
    let expected = format!(
        "the log in {} is in use by another process; stop that process, or connect to it over the network",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
    drop(log);
    open(folder.path());
}

/// A disk that counts the reads of the writer's thread.
struct Counting(crate::RealDisk, Arc<AtomicUsize>);
struct CountingFile(Arc<dyn crate::DiskFile>, Arc<AtomicUsize>);
impl crate::Disk for Counting {
    fn open(&self, name: &str) -> std::io::Result<Arc<dyn crate::DiskFile>> {
        Ok(Arc::new(CountingFile(self.0.open(name)?, self.1.clone())))
    }
    fn create_new(&self, name: &str) -> std::io::Result<Arc<dyn crate::DiskFile>> {
        Ok(Arc::new(CountingFile(self.0.create_new(name)?, self.1.clone())))
    }
    fn id_of(&self, name: &str) -> std::io::Result<crate::FileId> {
        self.0.id_of(name)
    }
    fn list(&self) -> std::io::Result<Vec<String>> {
        self.0.list()
    }
    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self) -> std::io::Result<()> {
        self.0.sync_dir()
    }
    fn free_bytes(&self) -> std::io::Result<u64> {
        self.0.free_bytes()
    }
    fn lock(&self, name: &str) -> std::io::Result<Box<dyn crate::DiskLock>> {
        self.0.lock(name)
    }
    fn display(&self, name: &str) -> std::path::PathBuf {
        self.0.display(name)
    }
}
impl crate::DiskFile for CountingFile {
    fn id(&self) -> std::io::Result<crate::FileId> {
        self.0.id()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        if thread::current().name() == Some("annals-log-write") {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        self.0.write_at(bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> std::io::Result<()> {
        self.0.set_len(bytes)
    }
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }
    fn sync_all(&self) -> std::io::Result<()> {
        self.0.sync_all()
    }
}

#[test]
fn refusals_and_repeats_read_nothing_on_the_writers_thread() {
    let folder = tempfile::tempdir().unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let disk = Arc::new(Counting(crate::RealDisk::open(folder.path()).unwrap(), reads.clone()));
    let environment = Environment { disk, ..Environment::real(folder.path()).unwrap() };
    let log = Log::open_on(environment, Options::with_segment_bytes(8 << 10)).unwrap();
    let mut exact = append("a", 1);
    exact.writes[0].expected = ExpectedVersion::NoStream;
    log.append(exact.clone()).unwrap();
    for _ in 0..100 {
        log.append(append("b", 3)).unwrap();
    }
    for _ in 0..10 {
        let mut refused = append("a", 1);
        refused.writes[0].expected = ExpectedVersion::NoStream;
        assert!(matches!(log.append(refused), Err(AppendError::Conflict(_))));
        assert!(log.append(exact.clone()).unwrap().repeated);
        let by_events = Append { request_id: RequestId::generate(), ..exact.clone() };
        assert!(log.append(by_events).unwrap().repeated);
    }
    assert_eq!(reads.load(Ordering::Relaxed), 0, "reads on the writer's thread");
}
