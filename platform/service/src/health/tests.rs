use super::*;
use annals_event::Sequence;
use annals_store::{Activity, ConsumerBoard, GappedStore, Head, Layer};
use async_trait::async_trait;
use axum::{body::Body, http::Request};
use std::sync::atomic::{AtomicBool, Ordering};
use tower::ServiceExt;

/// A store that can be away.
struct Store {
    below: Arc<dyn EventStore>,
    away: Arc<AtomicBool>,
}

#[async_trait]
impl Layer for Store {
    fn below(&self) -> Arc<dyn EventStore> {
        self.below.clone()
    }
    async fn head(&self) -> Result<Head, ReadError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(ReadError::Unavailable { reason: "http://a:hunter2@b does not answer".to_owned() }),
            false => self.below.head().await,
        }
    }
}

/// A service whose store was reached, and what takes the store away.
fn reached() -> (Health, Arc<AtomicBool>) {
    let (health, away) = (Health::new(), Arc::new(AtomicBool::new(false)));
    let store = Store { below: Arc::new(GappedStore::new()), away: away.clone() };
    health.opened(&OpenStore::elsewhere(store));
    (health, away)
}

/// A read model whose log ends at `head`.
async fn read_model(health: &Health, head: u64) -> ConsumerBoard {
    let board = ConsumerBoard::new();
    let watch = board.watch();
    health.consumer(ConsumerKind::ReadModel, "orders", move || {
        let mut state = watch.state();
        (state.head, state.stale_since) = (Sequence::new(head), None);
        state
    });
    board
}

async fn ask(health: &Health, path: &str) -> (u16, serde_json::Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = health.routes().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_service_is_ready_once_its_store_was_reached() {
    let health = Health::new();
    let (code, body) = ask(&health, "/health/ready").await;
    assert_eq!((code, body["status"].as_str()), (503, Some("not_ready")));
    assert_eq!(body["not_ready"][0], "the event store has not been reached yet");
    assert_eq!(ask(&health, "/health/live").await, (200, serde_json::json!({"status": "live"})));
    let (health, _) = reached();
    assert_eq!(ask(&health, "/health").await, (200, serde_json::json!({"status": "ok", "head": 0})));
}

#[tokio::test]
async fn an_outage_after_that_is_degraded_and_names_no_password() {
    let (health, away) = reached();
    away.store(true, Ordering::SeqCst);
    let (code, body) = ask(&health, "/health/ready").await;
    assert_eq!((code, body["status"].as_str()), (200, Some("degraded")));
    assert_eq!(body["degraded"][0], "the event store cannot be used now: http://***@b does not answer");
}

#[tokio::test]
async fn the_first_catch_up_counts_and_later_lag_does_not() {
    let (health, _) = reached();
    let board = read_model(&health, 9).await;
    let report = health.report().await;
    assert_eq!(report.not_ready, ["orders has not caught up for the first time; it is 9 events behind"]);
    board.moved(Sequence::new(9));
    assert_eq!(health.report().await.status(), Status::Ok);
    board.place(Sequence::new(3));
    let report = health.report().await;
    assert_eq!((report.status(), report.body().consumers_behind("orders")), (Status::Ok, 6));
}

#[tokio::test]
async fn a_read_model_that_goes_no_further_is_degraded() {
    for activity in [
        Activity::Stopped { reason: "an event cannot be applied".to_owned() },
        Activity::NeedsReplay { reason: "another fold made it".to_owned() },
        Activity::OtherHistory { reason: "another log".to_owned() },
    ] {
        let (health, _) = reached();
        let board = read_model(&health, 9).await;
        board.set(activity);
        let report = health.report().await;
        assert_eq!((report.status(), report.degraded.len()), (Status::Degraded, 1), "{report:?}");
    }
}

#[tokio::test]
async fn a_read_model_that_is_started_again_has_still_to_catch_up() {
    let (health, _) = reached();
    let board = read_model(&health, 9).await;
    board.set(Activity::Stopped { reason: "a file cannot be read".to_owned() });
    assert_eq!(health.report().await.status(), Status::Degraded);
    let board = read_model(&health, 9).await;
    assert_eq!(health.report().await.status(), Status::NotReady);
    board.moved(Sequence::new(9));
    assert_eq!(health.report().await.status(), Status::Ok);
}

#[tokio::test]
async fn a_reactor_that_is_behind_keeps_no_service_from_being_ready() {
    let (health, _) = reached();
    let board = ConsumerBoard::new();
    board.heard(Sequence::new(9));
    let watch = board.watch();
    health.consumer(ConsumerKind::Reactor, "payments", move || watch.state());
    assert_eq!(health.report().await.status(), Status::Ok);
    board.set(Activity::Retrying { reason: "the store is away".to_owned() });
    assert_eq!(health.report().await.degraded, ["payments: retrying: the store is away"]);
}

#[tokio::test]
async fn a_service_that_goes_away_and_a_part_that_says_so_are_not_ready() {
    let (health, _) = reached();
    let bank = health.probe("the bank");
    health.ask(|| vec![("mail".to_owned(), Condition::Degraded("it failed twice".to_owned()))]);
    bank.set(Condition::NotReady("no contract".to_owned()));
    health.leaving();
    let report = health.report().await;
    assert_eq!(report.not_ready, ["the service was told to stop", "the bank: no contract"]);
    assert_eq!(report.degraded, ["mail: it failed twice"]);
}

#[tokio::test]
async fn a_log_of_ones_own_that_takes_no_appends_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::Config::from_toml(&format!("data = {:?}", folder.path())).unwrap();
    let store = crate::store::open(&config.store, &config.log).await.unwrap();
    let health = Health::new();
    health.opened(&store);
    assert_eq!(health.report().await.status(), Status::Ok);
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    while health.report().await.status() == Status::Ok {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let report = health.report().await;
    assert!(report.not_ready.iter().any(|told| told.contains("was deleted or moved away")), "{report:?}");
}
