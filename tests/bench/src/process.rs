//! What this process tells the one that started it.

use crate::measure::lossy;
use anyhow::{Context, Result};
use serde::Serialize;

const MIB: usize = 1 << 20;

/// Prints what the parent reads.
#[expect(clippy::print_stdout, reason = "the parent reads this line")]
pub(crate) fn tell(what: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(what)?);
    Ok(())
}

/// How much memory this process has to itself (anonymous pages).
pub(crate) fn memory_bytes() -> Result<usize> {
    status_bytes("RssAnon:")
}

/// The most memory that this process has had, with the pages that it shares.
pub(crate) fn peak_bytes() -> Result<usize> {
    status_bytes("VmHWM:")
}

fn status_bytes(what: &'static str) -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib: usize = line.context(what)?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

pub(crate) fn mib(bytes: usize) -> f64 {
    lossy(bytes) / lossy(MIB)
}
