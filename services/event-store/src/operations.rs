//! HTTP for the operator of a log: statistics, disk space, the state of its files and of the clock, and backups.
//!
//! What always holds: a caller cannot choose a path on the server's disk. Each backup gets a new folder inside the folder
//! that the operator chose.

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
    /// Absolute, because answers contain it and their readers do not know the server's working directory.
    backups: Option<PathBuf>,
}

/// `GET /v1/stats`: what the log has done since it was opened, the room on its disk, what background verification found,
/// and how the log's time compares with the machine's clock.
///
/// `POST /v1/backup` with `{}`: makes a backup in a new folder inside `backups`; without `backups` it is refused. It is also
/// refused while another backup is being made.
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
    /// Why the log stopped writing, if it did.
    stopped: Option<String>,
    room: RoomBody,
    scrub: ScrubBody,
    clock: ClockBody,
}

#[derive(Serialize)]
struct RoomBody {
    free_bytes: Option<u64>,
    reserve_bytes: u64,
    /// Why appends are refused for lack of room, if they are.
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
    /// Why the log's time does not follow the machine's clock, if it does not.
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

/// A request that changes something must have a JSON body: a browser does not let pages of other sites send one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupRequest {}

#[derive(Serialize)]
struct BackupBody {
    folder: String,
    log_id: String,
    first: u64,
    head: u64,
    /// The chain value at the backup's end. Appends that only set marks change it too, so it is not the fingerprint of the
    /// event at `head`.
    chain: String,
    taken_at_us: i64,
}

async fn back_up(
    State(operated): State<Operated>,
    _: Unhurried,
    Body(BackupRequest {}): Body<BackupRequest>,
) -> Result<(StatusCode, Json<BackupBody>), Problem> {
    let Some(backups) = &operated.backups else {
        return Err(Problem::forbidden("this server makes no backups; start it with --backups DIR"));
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
