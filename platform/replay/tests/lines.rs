//! What the log lines of a process say of replays.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use annals_aggregate::Cause;
use annals_event::Sequence;
use annals_replay::{Phase, ReplayId, ReplayMode};
use std::{
    io,
    sync::{Arc, Mutex},
};
use support::{CUSTOMERS, World, model, orders};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// What is said of this replay.
    fn of(&self, id: ReplayId) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let end = format!(" replay={id} read_model={CUSTOMERS}");
        let told = text.lines().filter_map(|line| line.strip_suffix(&end)?.split_once("replays: "));
        told.map(|(_, told)| told.to_owned()).collect()
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
async fn each_turn_of_a_replay_is_a_line_with_its_id_and_read_model() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let (world, model) = (World::gapped(), model());
    let head = world.append(&orders(0, 20, 5)).await;
    let projecting = world.project(&model).await;
    projecting.rows_at(head).await;
    let working = world.work(&model).await;
    let back = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
    assert_eq!(working.settled(back).await.replay.phase, Phase::Ready);
    working.replays.promote(back, Cause::new()).await.unwrap();
    assert_eq!(working.settled(back).await.replay.phase, Phase::Promoted);
    working.replays.roll_back(back, Cause::new()).await.unwrap();
    assert_eq!(working.settled(back).await.replay.phase, Phase::RolledBack);
    let stays = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    assert_eq!(working.settled(stays).await.replay.phase, Phase::Promoted);
    working.replays.retire(stays, Cause::new()).await.unwrap();
    assert_eq!(working.settled(stays).await.replay.phase, Phase::Retired);
    let begun = ["a replay was requested", "a replay is ready", "a replay was promoted"];
    assert_eq!(lines.of(back), [&begun[..], &["a replay was rolled back"]].concat());
    assert_eq!(lines.of(stays), [&begun[..], &["a replay's previous rows were retired"]].concat());
    working.stop().await;
    projecting.stop().await;
}
