//! HTTP for whoever operates a log: what it did, whether there is room for more, whether its files are sound, and backups.
//!
//! What always holds: a caller never names a place on the server's disk. Backups go to the folder that the operator chose,
//! each to a new folder of its own.

use annals_service::{Body, Problem, Unhurried};
use annals_store_log::{Backup, BackupError, ClockStatus, LogStore, Room, ScrubStatus, Stats};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone)]
struct Operated {
    store: LogStore,
    /// Absolute, so that an answer means the same to whoever reads it.
    backups: Option<PathBuf>,
}

/// `GET /v1/stats`: what the log did since it was opened, the room on its disk, what verifying it in the background found,
/// and what the log makes of the machine's clock.
/// `POST /v1/backup` with `{}`: makes a backup in a new folder below `backups`; `None`: refuses to. One is made at a time; who
/// asks meanwhile is told so.
pub fn operations(store: LogStore, backups: Option<PathBuf>) -> Router {
    let backups = backups.map(|folder| std::path::absolute(&folder).unwrap_or(folder));
    Router::new()
        .route("/v1/stats", get(stats))
        .route("/v1/backup", post(back_up))
        .with_state(Operated { store, backups })
}

#[derive(Serialize)]
struct StatsBody {
    events: u64,
    appends: u64,
    groups: u64,
    syncs: u64,
    bytes: u64,
    conflicts: u64,
    repeats: u64,
    segments: u64,
    /// Why nothing is written any more.
    stopped: Option<String>,
    room: RoomBody,
    scrub: ScrubBody,
    clock: ClockBody,
}

#[derive(Serialize)]
struct RoomBody {
    free_bytes: Option<u64>,
    reserve_bytes: u64,
    /// Why appends are refused for want of room.
    appends_refused: Option<String>,
}

impl From<Room> for RoomBody {
    fn from(room: Room) -> Self {
        Self {
            free_bytes: room.free_bytes,
            reserve_bytes: room.reserve_bytes,
            appends_refused: room.refused.map(|reason| reason.to_string()),
        }
    }
}

#[derive(Serialize)]
struct ClockBody {
    log_time_us: i64,
    clock_us: i64,
    /// Why the log does not follow the machine's clock.
    warning: Option<String>,
}

impl From<ClockStatus> for ClockBody {
    fn from(status: ClockStatus) -> Self {
        Self {
            log_time_us: status.log_time.as_micros(),
            clock_us: status.clock.as_micros(),
            warning: status.warning.map(|warning| warning.to_string()),
        }
    }
}

#[derive(Serialize)]
struct ScrubBody {
    passes: u64,
    last_pass_at_us: Option<i64>,
    segments: u64,
    bytes: u64,
    damages: Vec<String>,
}

impl From<ScrubStatus> for ScrubBody {
    fn from(status: ScrubStatus) -> Self {
        Self {
            passes: status.passes,
            last_pass_at_us: status.last_pass_at.map(annals_event::Timestamp::as_micros),
            segments: status.segments,
            bytes: status.bytes,
            damages: status.damages.iter().map(ToString::to_string).collect(),
        }
    }
}

async fn stats(State(operated): State<Operated>) -> Json<StatsBody> {
    let Stats { events, appends, groups, syncs, bytes, conflicts, repeats, segments, .. } =
        operated.store.stats();
    let room = operated.store.room().await.into();
    let (scrub, clock) = (operated.store.scrub_status().into(), operated.store.clock().into());
    let stopped = operated.store.stopped();
    Json(StatsBody {
        events,
        appends,
        groups,
        syncs,
        bytes,
        conflicts,
        repeats,
        segments,
        stopped,
        room,
        scrub,
        clock,
    })
}

/// A body of JSON must come with a request that changes something: no page of another site can send that.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupRequest {}

#[derive(Serialize)]
struct BackupBody {
    folder: String,
    log_id: String,
    first: u64,
    head: u64,
    /// Where the backup ends, after appends that only set marks, too: no fingerprint of the event at `head`.
    chain: String,
    taken_at_us: i64,
}

async fn back_up(
    State(operated): State<Operated>,
    _: Unhurried,
    Body(BackupRequest {}): Body<BackupRequest>,
) -> Result<(StatusCode, Json<BackupBody>), Problem> {
    let Some(backups) = &operated.backups else {
        return Err(Problem::forbidden("this server takes no backups; start it with --backups DIR"));
    };
    let head = annals_store::EventStore::head(&operated.store).await?;
    let folder = backups.join(format!("{}-{:020}", head.log_id, head.last));
    let backup = operated.store.backup(folder.clone()).await.map_err(not_backed_up)?;
    let Backup { log_id, first, head, chain, taken_at, .. } = backup;
    let body = BackupBody {
        folder: folder.display().to_string(),
        log_id: log_id.to_string(),
        first: first.get(),
        head: head.get(),
        chain: format!("{chain:032x}"),
        taken_at_us: taken_at.as_micros(),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

fn not_backed_up(error: BackupError) -> Problem {
    let status = match error {
        BackupError::Inside { .. } | BackupError::Exists { .. } | BackupError::UnderWay { .. } => {
            StatusCode::CONFLICT
        }
        BackupError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
        BackupError::TooFast | BackupError::Io { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::of_status(status, error)
}
