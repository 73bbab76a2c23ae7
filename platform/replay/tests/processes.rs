//! Real processes, killed with SIGKILL in each phase of a replay: log, projector, readers and worker go together.
//!
//! The test starts itself as a child that carries out one replay and says each phase as it sees it. The parent kills it
//! after the phase that it waits for; the next child continues.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stdout, reason = "the child speaks to its parent")]

mod support;

use annals_event::Sequence;
use annals_projection::{Generations, ProjectorOptions};
use annals_replay::{Phase, ReplayEvent, ReplayId, ReplayMode};
use annals_store_log::LogStore;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};
use support::{CUSTOMERS, Projecting, Queries, Worker, Working, World, model, orders, within};

/// How often it is killed after each phase; `ANNALS_KILLS` asks for more.
const KILLS_DEFAULT: usize = 3;
const ORDERS: usize = 800;
const FOLDER: &str = "ANNALS_TEST_FOLDER";
const REPLAY: &str = "ANNALS_TEST_REPLAY";

const PHASES: [Phase; 8] = [
    Phase::Requested,
    Phase::Planned,
    Phase::Restoring,
    Phase::Folding,
    Phase::CatchingUp,
    Phase::Verifying,
    Phase::Promoting,
    Phase::Promoted,
];

/// The child. Without its folder it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other test"]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let id: ReplayId = std::env::var(REPLAY).unwrap().parse().unwrap();
    let (folder, model) = (PathBuf::from(folder), model());
    let log = LogStore::open(folder.join("log"), annals_store_log::Options::default()).await.unwrap();
    let store: Arc<dyn annals_store::EventStore> = Arc::new(log);
    let catalog = annals_projection_sqlite::open(folder.join("views")).await.unwrap();
    let projecting =
        Projecting::start(ProjectorOptions::new(catalog.clone(), model.clone(), store.clone())).await;
    let queries = Queries::start([projecting.handle.readers().clone()]);
    let working = Working::start(Worker::on(store.clone(), [Generations::new(catalog, model, store)]));
    working.request_as(id, CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    say_phases(&working, id).await;
    queries.more(3).await;
    queries.stop().await;
    println!("done");
}

async fn say_phases(working: &Working, id: ReplayId) {
    let mut last = Phase::Unknown;
    loop {
        let replay = working.replays.status(id).unwrap().replay;
        assert!(replay.failure.is_none(), "{replay:?}");
        if replay.phase != last {
            println!("phase {}", replay.phase);
            last = replay.phase;
        }
        if replay.phase == Phase::Promoted {
            return;
        }
        tokio::task::yield_now().await;
    }
}

struct Parent {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Parent {
    fn start(folder: &Path, id: ReplayId) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(REPLAY, id.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Whether the child said one of these before it ended.
    fn hears(&mut self, wanted: &[String]) -> bool {
        let said = |line: String| wanted.iter().any(|wanted| line.ends_with(wanted));
        self.lines.by_ref().map_while(Result::ok).any(said)
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ends(mut self) {
        assert!(self.hears(&["done".to_owned()]));
        assert!(self.lines.by_ref().all(|line| line.is_ok()));
        assert!(self.child.wait().unwrap().success());
    }
}

/// Opens what a child left.
async fn opened(folder: tempfile::TempDir) -> World {
    let log = LogStore::open(folder.path().join("log"), annals_store_log::Options::default()).await;
    World { store: Arc::new(log.unwrap()), folder }
}

async fn closed(world: World) -> tempfile::TempDir {
    let World { store, folder } = world;
    // The last handle gives up the folder's lock, which may take the thread a moment.
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_any_phase_has_its_replay_finished_by_the_next() {
    let kills = std::env::var("ANNALS_KILLS").ok().and_then(|kills| kills.parse().ok());
    let kills = kills.unwrap_or(KILLS_DEFAULT);
    let world = World::log().await;
    world.append(&orders(0, ORDERS, 50)).await;
    let expected = world.fresh_fold(&model()).await;
    let mut folder = closed(world).await;
    for (at, phase) in PHASES.into_iter().enumerate() {
        // The child may pass a short phase between two looks.
        let wanted: Vec<_> = PHASES[at..].iter().map(|phase| format!("phase {phase}")).collect();
        for _ in 0..kills {
            let id = ReplayId::generate();
            let mut first = Parent::start(folder.path(), id);
            assert!(first.hears(&wanted));
            first.kill();
            Parent::start(folder.path(), id).ends();

            let world = opened(folder).await;
            let history = world.history(id).await;
            let promoted = history.iter().filter(|event| matches!(event, ReplayEvent::Promoted(_)));
            assert_eq!(promoted.count(), 1, "{history:?}");
            let generations = world.generations(&model()).await;
            let live = generations.live().await.unwrap().generation;
            assert_eq!(live, id.candidate(), "killed in {phase}");
            let mut reader =
                annals_projection::Readers::new(world.catalog().await, model()).reader().await.unwrap();
            assert_eq!(within(support::rows(&mut reader)).await, expected);
            drop(reader);
            drop(generations);
            folder = closed(world).await;
        }
    }
    println!("{} kills of processes in {} phases of replays", kills * PHASES.len(), PHASES.len());
}
