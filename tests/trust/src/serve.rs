//! A server of a log with small segments, so that each of its lives sees rotations, indexes and checkpoints. It ends
//! only by being killed.

use annals_event_store::{Options, Service, operations};
use annals_service::HttpServer;
use annals_store_log::{LogStore, Retainer, Retention};
use anyhow::Result;
use clap::Args;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A checkpoint is written after this many sealed segments.
const CHECKPOINT_SEGMENTS: u32 = 2;

/// What this program starts as a process of its own.
#[derive(Args)]
pub(crate) struct Serve {
    data: PathBuf,
    #[arg(long)]
    segment_bytes: u64,
    /// Segments whose events are all older may be dropped; none: all are kept
    #[arg(long)]
    retain_seconds: Option<u64>,
    #[arg(long, default_value_t = 1_000)]
    retain_every_ms: u64,
}

impl Serve {
    #[expect(clippy::print_stdout, reason = "the parent waits for this line")]
    pub(crate) async fn run(self) -> Result<()> {
        let mut options = annals_store_log::Options::with_segment_bytes(self.segment_bytes);
        options.checkpoint_segments = CHECKPOINT_SEGMENTS;
        plant(&mut options)?;
        let store = LogStore::open(&self.data, options).await?;
        if let Some(damage) = store.damage() {
            anyhow::bail!("the log is damaged: {damage}");
        }
        if let Some(seconds) = self.retain_seconds {
            let retention = Retention { age_max: Some(Duration::from_secs(seconds)), bytes_max: None };
            let retainer = Retainer::new(store.clone(), retention);
            let every = Duration::from_millis(self.retain_every_ms);
            tokio::spawn(retainer.every(every).run(CancellationToken::new()));
        }
        let pages = operations(store.clone(), None);
        let Options { listen, limits } = Options::loopback();
        let server = HttpServer::bind(listen, limits.http.clone()).await?;
        let service = Service::on(server, &limits, Arc::new(store), |_| pages).await?;
        println!("listening on http://{}", service.address());
        service.run(CancellationToken::new()).await;
        Ok(())
    }
}

/// Plants a bug to prove that the judge catches it: `ANNALS_PLANT` names it.
#[cfg(feature = "planted-bugs")]
fn plant(options: &mut annals_store_log::Options) -> Result<()> {
    use annals_log::PlantedBug::{
        AcknowledgeBeforeSync, DirectoryNotSynced, TailNotWiped, ZeroSectorEndsLog,
    };
    options.planted_bug = match std::env::var("ANNALS_PLANT").as_deref() {
        Err(_) => None,
        Ok("acknowledge-before-sync") => Some(AcknowledgeBeforeSync),
        Ok("directory-not-synced") => Some(DirectoryNotSynced),
        Ok("tail-not-wiped") => Some(TailNotWiped),
        Ok("zero-sector-ends-log") => Some(ZeroSectorEndsLog),
        Ok(other) => anyhow::bail!("{other:?} is no bug that can be planted here"),
    };
    Ok(())
}

#[cfg(not(feature = "planted-bugs"))]
#[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn plant(_: &mut annals_store_log::Options) -> Result<()> {
    Ok(())
}
