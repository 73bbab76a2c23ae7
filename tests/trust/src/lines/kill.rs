//! Line 1: kill -9 at random moments of the real program under real clients.

use super::Run;
use crate::{
    card::Finding,
    cycles::{Plan, live, tell},
    ground::Killed,
    judge::Tally,
    workload::{Mix, Payload},
};
use anyhow::Result;

/// How often one log sees its server die: often enough for rotations.
const KILLS_A_LIFE: u64 = 150;

const PLAN: Plan = Plan {
    clients: 8,
    mix: Mix::Varied,
    payload: Payload { bytes_max: 2_000 },
    answers_max: 150,
    delay_ms_max: 3,
};

pub(super) async fn judge(run: &Run) -> Result<Finding> {
    let (mut finding, mut tally) = (Finding::default(), Tally::default());
    let mut random = run.random(1);
    let all = run.effort.pick(300, 10_000);
    let mut left = all;
    while left > 0 && finding.violations.count == 0 {
        run.progress.set(format!("{} of {all} kills", all - left));
        let kills = left.min(KILLS_A_LIFE);
        let mut ground = Killed::new(run.program.clone())?;
        let (lived, violations) = live(&mut ground, PLAN, kills, &mut random).await?;
        tally = tally.plus(lived);
        finding.violations.take_in(violations);
        left -= kills;
    }
    tell(&mut finding, "kills", tally);
    Ok(finding)
}
