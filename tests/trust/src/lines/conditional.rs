//! Line 10: appends with an expected version by 32 clients that compete for the same streams, with kills. Each stream
//! is checked against the order of time: who won, who lost against whom, and who never heard.

use super::Run;
use crate::{
    card::Finding,
    cycles::{Plan, live, tell},
    ground::Killed,
    judge::Tally,
    workload::{Mix, Payload},
};
use anyhow::Result;

/// How often one log sees its server die.
const KILLS_A_LIFE: u64 = 100;

const PLAN: Plan = Plan {
    clients: 32,
    mix: Mix::Conditional,
    payload: Payload { bytes_max: 40 },
    answers_max: 3_000,
    delay_ms_max: 2,
};

pub(super) async fn judge(run: &Run) -> Result<Finding> {
    let (mut finding, mut tally) = (Finding::default(), Tally::default());
    let mut random = run.random(10);
    let operations = run.effort.pick(20_000, 1_000_000);
    while tally.answered < operations && finding.violations.count == 0 {
        run.progress.set(format!("{} of {operations} operations", tally.answered));
        let missing = (operations - tally.answered).div_ceil(PLAN.answers_max / 2);
        let mut ground = Killed::new(run.program.clone())?;
        let (lived, violations) = live(&mut ground, PLAN, missing.min(KILLS_A_LIFE), &mut random).await?;
        tally = tally.plus(lived);
        finding.violations.take_in(violations);
    }
    tell(&mut finding, "kills", tally);
    Ok(finding)
}
