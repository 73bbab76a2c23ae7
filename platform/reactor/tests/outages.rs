//! What a worker's log says while its store goes away and comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_store::{EventStore, GappedStore, Layer, ReadError, Subscribe, Subscription};
use async_trait::async_trait;
use common::{PATIENCE, append_all, event_of, start, worker};
use futures::stream;
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// Loses its subscribers, as soon as they have all that there is, each time it is told to.
#[derive(Default)]
struct Losing {
    below: GappedStore,
    lose: Arc<Notify>,
}

#[async_trait]
impl Layer for Losing {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.below.clone())
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let begun = (self.below.subscribe(subscribe).await?, self.lose.clone());
        Ok(Subscription::new(stream::unfold(begun, async |(mut below, lose)| {
            let delivery = tokio::select! {
                biased;
                delivery = below.next() => delivery,
                () = lose.notified() => Err(ReadError::Unavailable { reason: "the server is away".into() }),
            };
            Some((delivery, (below, lose)))
        })))
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn count(&self, text: &str) -> usize {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().matches(text).count()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_outage_is_told_once_also_where_nothing_happens_in_between() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let store = Arc::new(Losing::default());
    let (handle, stop, task) = start(worker(store.clone(), 10));
    let visited = append_all(&*store, [event_of("visit-1", "visit.begun", "{}")]).await;
    handle.wait_for(visited, PATIENCE).await.unwrap();
    for outage in 1..=3 {
        store.lose.notify_one();
        let told = async {
            while lines.count("waiting for the event store") < outage {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap();
        assert_eq!(lines.count("waiting for the event store"), outage);
    }
    stop.cancel();
    task.await.unwrap().unwrap();
}
