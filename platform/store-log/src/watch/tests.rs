use super::*;
use annals_event::{Append, Category, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_log::{Log, Options};
use futures::{FutureExt, future::join_all};
use std::{iter, time::Duration};
use tempfile::TempDir;

/// After this long a test concludes that what it waits for does not come.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    log: Log,
    watch: Watch,
    _folder: TempDir,
}

impl World {
    fn new(tail_bytes_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::with_segment_bytes(64 << 10);
        options.tail_bytes_max = tail_bytes_max;
        let log = Log::open(folder.path(), options).unwrap();
        Self { watch: Watch::new(log.head_watch()), log, _folder: folder }
    }

    fn append(&self, stream: &str) {
        let event = NewEvent::json(EventType::new("happened").unwrap(), "{}");
        let stream = StreamName::new(stream).unwrap();
        self.log.append(Append::to(stream, ExpectedVersion::Any, vec![event])).unwrap();
    }

    /// A wait at the head.
    fn wait(&self, category: &str) -> Wait {
        self.watch.wait(self.log.head(), &to(category)).unwrap().expect("nothing has come yet")
    }

    fn waiting(&self) -> usize {
        self.watch.0.state.lock().waiting.values().map(|waiters| waiters.wakes.len()).sum()
    }

    /// Returns when all that was appended has been looked at.
    async fn looked(&self) {
        let any = self.watch.wait(self.log.head(), &Filter::all()).unwrap();
        self.append("looked");
        if let Some(any) = any {
            assert!(any.woken().await);
        }
    }
}

fn to(category: &str) -> Filter {
    Filter { categories: vec![Category::new(category).unwrap()], ..Filter::all() }
}

#[tokio::test]
async fn an_event_ends_the_waits_of_those_who_want_it_and_of_nobody_else() {
    let world = World::new(1 << 20);
    let wanting: Vec<_> = (0..50).map(|_| world.wait("wanted").woken()).collect();
    let mut others: Vec<_> = (0..50).map(|_| Box::pin(world.wait("other").woken())).collect();
    world.append("wanted-1");
    assert!(join_all(wanting).await.into_iter().all(|woken| woken));
    for _ in 0..20 {
        world.append("third-1");
    }
    world.looked().await;
    assert!(others.iter_mut().all(|other| other.now_or_never().is_none()));
    // While it looks, the thread has them.
    let back = async {
        while world.waiting() < 50 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    assert_eq!(world.watch.0.state.lock().waiting.len(), 1, "an event is compared with what they want once");
    world.append("other-1");
    assert!(join_all(others).await.into_iter().all(|woken| woken));
    assert_eq!(world.waiting(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_want_many_categories_hold_up_nobody() {
    const WAITING: usize = 512;
    const CATEGORIES: usize = 1_000;
    const EVENTS: usize = 8_000;
    let (world, mut waits) = (World::new(16 << 20), Vec::new());
    for waiting in 0..WAITING {
        let category = |number| Category::new(format!("wanted.{waiting}.{number}")).unwrap();
        let filter = Filter { categories: (0..CATEGORIES).map(category).collect(), ..Filter::all() };
        waits.push(world.watch.wait(world.log.head(), &filter).unwrap().unwrap());
    }
    let event = || NewEvent::json(EventType::new("happened").unwrap(), "{}");
    let events = iter::repeat_with(event).take(EVENTS).collect();
    world.log.append(Append::to(StreamName::new("other").unwrap(), ExpectedVersion::Any, events)).unwrap();
    let looked = tokio::time::timeout(PATIENCE, world.looked()).await;
    assert!(looked.is_ok(), "{EVENTS} events are still being looked at");
    world.append(&format!("wanted.{}.{}-1", WAITING - 1, CATEGORIES - 1));
    assert!(waits.pop().unwrap().woken().await);
}

#[tokio::test]
async fn each_of_many_appends_is_seen_by_those_who_come_and_go_meanwhile() {
    let world = World::new(1 << 20);
    let writer = thread::spawn({
        let log = world.log.clone();
        move || {
            for n in 0..500 {
                let event = NewEvent::json(EventType::new("happened").unwrap(), "{}");
                let stream = StreamName::new(["wanted-1", "other-1"][n % 2]).unwrap();
                log.append(Append::to(stream, ExpectedVersion::Any, vec![event])).unwrap();
            }
        }
    });
    // Does what a follower does: reads, and waits where it found nothing. A lost wake-up would hang here.
    let (mut seen, mut from) = (0, Sequence::FIRST);
    while seen < 250 {
        let block = world.log.read(from, LOOK).unwrap();
        seen += block.events.filter(|event| to("wanted").accepts(event)).len();
        from = block.next;
        if block.events.is_empty()
            && let Some(wait) = world.watch.wait(from.previous(), &to("wanted")).unwrap()
        {
            assert!(wait.woken().await);
        }
    }
    writer.join().unwrap();
}

#[tokio::test]
async fn what_is_not_in_memory_any_more_wakes_all_to_look_for_themselves() {
    let world = World::new(0);
    let wait = world.wait("wanted");
    world.append("other-1");
    assert!(wait.woken().await);
}

#[tokio::test]
async fn a_wait_that_is_given_up_is_forgotten_and_a_closed_log_ends_all() {
    let world = World::new(1 << 20);
    let (given_up, waits) = (world.wait("wanted"), [world.wait("wanted"), world.wait("other")]);
    drop(given_up);
    assert_eq!(world.waiting(), 2);
    world.log.close().unwrap();
    for wait in waits {
        assert!(!wait.woken().await, "there will be nothing more");
    }
    assert!(!world.wait("wanted").woken().await, "nor for those who come later");
    assert_eq!(world.waiting(), 0);
}

#[tokio::test]
async fn a_watch_does_not_keep_the_log_open() {
    let World { log, watch, _folder: folder } = World::new(1 << 20);
    let wait = watch.wait(Sequence::ZERO, &to("wanted")).unwrap().unwrap();
    drop(log);
    assert!(!wait.woken().await);
    Log::open(folder.path(), Options::default()).expect("the log was closed");
}
