use super::*;
use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::sync::mpsc;

fn gone() -> io::Error {
    io::Error::other("the disk is gone")
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_is_started_again_until_it_goes_on() {
    let (mut supervisor, starts) = (Supervisor::new(), Arc::new(AtomicU32::new(0)));
    let (works, mut worked) = mpsc::channel(1);
    supervisor.spawn("reader", {
        let starts = starts.clone();
        move |stop| {
            let (start, works) = (starts.fetch_add(1, Ordering::SeqCst), works.clone());
            async move {
                match start {
                    0 => return Err(Failure::passing(gone())),
                    1 => panic!("no such line"),
                    _ => {}
                }
                works.send(()).await.map_err(Failure::passing)?;
                stop.cancelled().await;
                Ok(())
            }
        }
    });
    let parts = supervisor.parts();
    worked.recv().await;
    let Some(PartState::Retrying { attempts, reason, .. }) = parts.of("reader") else { panic!("{parts:?}") };
    assert_eq!((attempts, reason.as_str()), (2, "it panicked; see standard error"));
    supervisor.stop(&Ending::new()).await;
    assert_eq!(starts.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_asks_for_a_wait_gets_the_same_each_time() {
    let (mut supervisor, wait) = (Supervisor::new(), Duration::from_secs(10));
    let (starts, mut started) = mpsc::channel(1);
    supervisor.spawn("copy", move |_| {
        let starts = starts.clone();
        async move {
            starts.send(tokio::time::Instant::now()).await.map_err(Failure::passing)?;
            Err(Failure::passing(gone()).after(wait))
        }
    });
    let mut last = started.recv().await.unwrap();
    for _ in 0..3 {
        let next = started.recv().await.unwrap();
        assert_eq!(next.duration_since(last), wait);
        last = next;
    }
    supervisor.stop(&Ending::new()).await;
}

#[tokio::test]
async fn a_part_that_only_people_can_mend_stays_stopped_and_others_go_on() {
    let mut supervisor = Supervisor::new();
    let (asked, mut heard) = mpsc::channel::<()>(1);
    supervisor.spawn("reader", async |_| Err(Failure::by_people(gone())));
    supervisor.spawn("once", async |_| Ok(()));
    supervisor.spawn("listener", {
        let asked = asked.clone();
        move |stop: CancellationToken| {
            let asked = asked.clone();
            async move {
                stop.cancelled().await;
                asked.send(()).await.map_err(Failure::passing)
            }
        }
    });
    let parts = supervisor.parts();
    while parts.of("reader") == Some(PartState::Running) || parts.of("once") == Some(PartState::Running) {
        tokio::task::yield_now().await;
    }
    let reason = "the disk is gone".to_owned();
    assert_eq!(parts.of("reader"), Some(PartState::Stopped { reason }));
    assert_eq!(parts.of("once"), Some(PartState::Done));
    supervisor.stop(&Ending::new()).await;
    assert_eq!(heard.recv().await, Some(()));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_stop_is_ended_at_the_deadline() {
    let mut supervisor = Supervisor::new();
    let (held, mut ended) = mpsc::channel::<()>(1);
    let mut held = Some(held);
    supervisor.spawn("stubborn", move |_| {
        let held = held.take();
        async move {
            let _held = held;
            pending().await
        }
    });
    let begun = tokio::time::Instant::now();
    supervisor.stop(&Ending::new()).await;
    assert_eq!(ended.recv().await, None);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}
