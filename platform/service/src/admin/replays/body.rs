//! The bodies of the HTTP API, kept apart from the types of the replay library so that neither depends on the other.

use annals_event::{Sequence, Timestamp};
use annals_projection::{Difference, GenerationId, Plan};
use annals_replay::{Failure, Phase, Progress, ReplayId, ReplayMode, ReplayRequest, ReplayStatus};
use serde::{Deserialize, Serialize};

/// `POST /replays`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestBody {
    /// Chosen by the caller, so that a repeat is recognised; made if it is missing.
    pub(super) id: Option<String>,
    read_model: String,
    #[serde(default = "first")]
    from: u64,
    #[serde(default)]
    mode: ReplayMode,
}

fn first() -> u64 {
    Sequence::FIRST.get()
}

impl From<RequestBody> for ReplayRequest {
    fn from(body: RequestBody) -> Self {
        Self { read_model: body.read_model, from: Sequence::new(body.from), mode: body.mode }
    }
}

/// One replay.
#[derive(Debug, Serialize)]
pub(super) struct ReplayBody {
    id: ReplayId,
    read_model: String,
    from: u64,
    mode: ReplayMode,
    phase: Phase,
    plan: Option<Plan>,
    progress: Option<Progress>,
    difference: Option<Difference>,
    candidate: Option<GenerationId>,
    previous: Option<GenerationId>,
    failure: Option<Failure>,
    rolled_back_behind: Option<u64>,
    superseded_by: Option<String>,
    /// When it entered its phase, in microseconds since 1970; `None`: not known yet.
    since: Option<Timestamp>,
    /// What a requested replay is waiting for.
    waiting: Option<String>,
    /// Why this release cannot read it; the rest is what earlier events said.
    unreadable: Option<String>,
}

impl From<ReplayStatus> for ReplayBody {
    fn from(ReplayStatus { id, replay, progress, since, waiting }: ReplayStatus) -> Self {
        Self {
            id,
            read_model: replay.read_model,
            from: replay.from,
            mode: replay.mode,
            phase: replay.phase,
            plan: replay.plan,
            progress,
            difference: replay.difference,
            candidate: replay.candidate,
            previous: replay.previous,
            failure: replay.failure,
            rolled_back_behind: replay.rolled_back_behind,
            superseded_by: replay.superseded_by,
            since,
            waiting: waiting.map(|waiting| waiting.to_string()),
            unreadable: replay.unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../../sdk/guide/replay.md");
    /// What the request says, too.
    const ASKED: [&str; 5] = ["id", "read_model", "from", "mode", "phase"];

    fn keys(body: &impl Serialize) -> Vec<String> {
        serde_json::to_value(body).unwrap().as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_guide_explains_each_field_of_an_answer() {
        let (id, replay) = (ReplayId::generate(), Default::default());
        let status = ReplayStatus { id, replay, progress: None, since: None, waiting: None };
        let fields = keys(&ReplayBody::from(status));
        for field in fields.iter().filter(|field| !ASKED.contains(&field.as_str()) && *field != "plan") {
            assert!(GUIDE.contains(&format!("`{field}`")), "{field}");
        }
        for field in ["passed_over", "log_bytes", "disk_bytes", "disk_bytes_free", "estimated_ms", "refusal"]
        {
            assert!(keys(&Plan::default()).contains(&field.to_owned()));
            assert!(GUIDE.contains(&format!("`plan.{field}`")), "{field}");
        }
    }
}
