//! The commands on a log that is not being served.

use annals_service::counted;
use annals_store_log::{LogStore, OpenError, VerifyProgress, holds_log, verify};
use anyhow::{Context, bail, ensure};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Verifies everything in the folder. Progress goes to standard error; each damage and a summary go to standard output.
pub(crate) fn verify_log(data: &Path) -> anyhow::Result<()> {
    let mut told_tenths = 0;
    let report = verify(data, |progress| tell_tenths(progress, &mut told_tenths))?;
    let mut out = io::stdout().lock();
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    if report.unfinished_bytes > 0 {
        let bytes = counted(report.unfinished_bytes, "byte");
        writeln!(
            out,
            "after the end of the log: {bytes} of appends that were never answered; the next start removes them"
        )?;
    }
    writeln!(out, "{} in {}", counted(report.events, "event"), counted(report.segments, "segment"))?;
    match report.findings.len() {
        0 => Ok(()),
        count => bail!("the log in {} is damaged in {}", data.display(), counted(count, "place")),
    }
}

fn tell_tenths(progress: VerifyProgress, told_tenths: &mut u64) {
    let VerifyProgress { bytes_done, bytes_total } = progress;
    let tenths = bytes_done.saturating_mul(10) / bytes_total.max(1);
    if tenths > *told_tenths {
        *told_tenths = tenths;
        // A closed standard error does not matter.
        let _ = writeln!(io::stderr(), "{tenths}0% verified, {} MiB", bytes_done >> 20);
    }
}

/// Copies the log in `data` to the new folder `to`, and verifies the copy.
pub(crate) async fn back_up(data: &Path, to: PathBuf) -> anyhow::Result<()> {
    let holds_log = holds_log(data).with_context(|| format!("cannot read {}", data.display()))?;
    ensure!(holds_log, "{} contains no log", data.display());
    let store = match LogStore::open(data, annals_store_log::Options::default()).await {
        Err(error @ OpenError::InUse { .. }) => {
            return Err(error)
                .context("a log that is being served is backed up through its server: POST /v1/backup");
        }
        opened => opened?,
    };
    let backup = store.backup(to.clone()).await;
    store.close().await?;
    let backup = backup?;
    writeln!(io::stdout(), "backed up to {}, up to event {}", to.display(), backup.head)?;
    Ok(())
}
