//! Line 2: power cuts under load. The file system of a loop device is shut down without a flush, so what was not
//! synced is gone; segments are small, so that cuts hit rotations, index and checkpoint writes.

use super::Run;
use crate::{
    card::{Finding, Unjudged},
    cycles::{Ground, Plan, live, tell},
    disk::PowerDisk,
    ground::own_program,
    judge::Tally,
    process::Server,
    workload::{Mix, Payload},
};
use anyhow::Result;

/// How often one disk loses power before a new one is made.
const CUTS_A_LIFE: u64 = 30;
const SEGMENT_BYTES: u64 = 64 << 10;

const PLAN: Plan = Plan {
    clients: 8,
    mix: Mix::Varied,
    payload: Payload { bytes_max: 2_000 },
    answers_max: 200,
    delay_ms_max: 3,
};

pub(super) async fn judge(run: &Run) -> Result<Finding, Unjudged> {
    let (mut finding, mut tally) = (Finding::default(), Tally::default());
    let mut random = run.random(2);
    let all = run.effort.pick(90, 2_000);
    let mut left = all;
    while left > 0 && finding.violations.count == 0 {
        run.progress.set(format!("{} of {all} power cuts", all - left));
        let cuts = left.min(CUTS_A_LIFE);
        let mut ground = Powered(PowerDisk::make()?);
        let (lived, violations) = live(&mut ground, PLAN, cuts, &mut random).await?;
        tally = tally.plus(lived);
        finding.violations.take_in(violations);
        left -= cuts;
    }
    tell(&mut finding, "power cuts", tally);
    Ok(finding)
}

/// A server with small segments on a disk whose power is cut.
struct Powered(PowerDisk);

impl Ground for Powered {
    async fn start(&mut self) -> Result<Server> {
        let mut command = own_program()?;
        command.arg("serve").arg(self.0.data()).args(["--segment-bytes", &SEGMENT_BYTES.to_string()]);
        Server::start(command).await
    }

    async fn crash(&mut self, server: Server) -> Result<()> {
        self.0.cut()?;
        server.kill().await?;
        self.0.restore()
    }
}
