//! What a log must do while it lacks room, and once it has some again.

use super::{PAGE_BYTES, Setup};
use crate::{
    card::Violations,
    disk::SmallDisk,
    judge::Judge,
    process::Server,
    random::Random,
    writer::{Whose, Writer},
};
use annals_store_grpc::GrpcStore;
use anyhow::{Context, Result};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

const PAYLOAD_BYTES: usize = 30_000;
/// More than any of the disks takes.
const APPENDS_MAX: u64 = 5_000;
const APPENDS_AFTERWARDS: u64 = 100;
/// How soon appends must be accepted again.
const RESUME_TIME_MAX: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(5);
/// What the log says when it lacks room of any kind.
const NO_ROOM: &str = "no room";
/// What it says at the reserve.
const RESERVED: &str = "are kept in reserve";
/// One part in this many of the reserve is what the platform's own appends leave free.
const PLATFORM_SHARE: u64 = 4;
/// The most that the platform's first append takes where the users' appends have stopped: a small segment.
const PLATFORM_BYTES: u64 = 128 << 10;

pub(super) struct Trial {
    pub(super) writer: Writer,
    judge: Arc<Judge>,
    what: String,
}

impl Trial {
    pub(super) fn new(random: Random, what: String) -> Self {
        let judge = Arc::new(Judge::new());
        Self { writer: Writer::new(Arc::clone(&judge), random, PAYLOAD_BYTES), judge, what }
    }

    /// Appends until there is no room. Then the error is clear and reads go on.
    pub(super) async fn until_full(&mut self, store: &GrpcStore) -> Result<()> {
        self.until_refused(store, Whose::Users, NO_ROOM).await.map(drop)
    }

    /// Appends until only the reserve is left, then until the platform has used its part of it.
    pub(super) async fn until_low(
        &mut self,
        store: &GrpcStore,
        disk: &SmallDisk,
        setup: Setup,
    ) -> Result<()> {
        let made = self.until_refused(store, Whose::Users, RESERVED).await?;
        self.leaves(made, disk, setup.reserve_bytes)?;
        let kept = setup.reserve_bytes / PLATFORM_SHARE;
        let had_room = disk.free_bytes()? >= kept + PLATFORM_BYTES;
        let made = self.until_refused(store, Whose::Platform, RESERVED).await?;
        if had_room && made == 0 {
            self.judge
                .accuse(format!("no append of the platform's own went well at the reserve, {}", self.what));
        }
        self.leaves(made, disk, kept)?;
        if self.writer.append(store, Whose::Users).await?.is_ok() {
            self.judge
                .accuse(format!("an append was taken although only {kept} bytes were left, {}", self.what));
        }
        Ok(())
    }

    /// Whoever appended left this much free. Indexes and checkpoints do not ask, and are small.
    fn leaves(&self, made: u64, disk: &SmallDisk, kept_bytes: u64) -> Result<()> {
        let free = disk.free_bytes()?;
        if made > 0 && free + 16 * PAGE_BYTES < kept_bytes {
            let what = &self.what;
            self.judge.accuse(format!("{made} appends left {free} bytes free, not {kept_bytes}, {what}"));
        }
        Ok(())
    }

    /// Appends until refused with these words, and then reads; returns how many appends were made.
    async fn until_refused(&mut self, store: &GrpcStore, whose: Whose, words: &str) -> Result<u64> {
        let (made, reason) = self.writer.append_until_refused(store, whose, APPENDS_MAX).await?;
        let reason = reason.with_context(|| format!("{} never ended", self.what))?;
        if !(reason.contains(NO_ROOM) && reason.contains(words)) {
            self.judge.accuse(format!("no clear error with {}: {reason}", self.what));
        }
        if let Err(error) = self.judge.settle(store).await {
            self.judge.accuse(format!("reads ended with {}: {error:#}", self.what));
        }
        Ok(made)
    }

    /// Appends are accepted again soon.
    pub(super) async fn resumes(&mut self, store: &GrpcStore) -> Result<()> {
        let deadline = Instant::now() + RESUME_TIME_MAX;
        while let Err(reason) = self.writer.append(store, Whose::Users).await? {
            if Instant::now() > deadline {
                self.judge.accuse(format!("with room again after {}: {reason}", self.what));
                return Ok(());
            }
            sleep(TRY_EVERY).await;
        }
        let (_, reason) = self.writer.append_until_refused(store, Whose::Users, APPENDS_AFTERWARDS).await?;
        if let Some(reason) = reason {
            self.judge.accuse(format!("soon after there was room again after {}: {reason}", self.what));
        }
        Ok(())
    }

    /// Nothing is lost after another start, that of `server`.
    pub(super) async fn end(self, server: Server) -> Result<Violations> {
        self.judge.settle_all(&server.client().await?).await?;
        server.kill().await?;
        drop(self.writer);
        Ok(Arc::into_inner(self.judge).context("a client is still there")?.finish().1)
    }
}
