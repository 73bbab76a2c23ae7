//! Folders where servers live, and how to start the server program on them.

use crate::{cycles::Ground, process::Server};
use anyhow::{Context, Result, ensure};
use std::{
    env,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use tokio::process::Command;

/// Where files are kept in memory, on Linux.
const MEMORY: &str = "/dev/shm";

/// A folder in memory if the machine has that, otherwise on its disk. Removed when it is dropped.
pub(crate) fn in_memory() -> Result<TempDir> {
    let memory = Path::new(MEMORY);
    if memory.is_dir() { named(memory) } else { on_disk() }
}

/// A folder on the machine's disk. Removed when it is dropped.
pub(crate) fn on_disk() -> Result<TempDir> {
    named(&env::temp_dir())
}

fn named(parent: &Path) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("annals-trust-").tempdir_in(parent);
    folder.with_context(|| format!("cannot make a folder in {}", parent.display()))
}

/// The event store's program, as `services/event-store` builds it.
#[derive(Clone)]
pub(crate) struct Program(PathBuf);

impl Program {
    /// Builds it in the same way as this program was built.
    pub(crate) async fn build() -> Result<Self> {
        let own = env::current_exe()?;
        let folder = own.parent().context("this program is in no folder")?;
        let mut cargo = cargo();
        cargo.args(["build", "--quiet", "-p", "annals-event-store", "--bin", "annals-event-store"]);
        if is_release(folder) {
            cargo.arg("--release");
        }
        ensure!(cargo.status().await?.success(), "the event store's program was not built");
        Self::at(&folder.join("annals-event-store"))
    }

    /// A program that already exists.
    pub(crate) fn at(file: &Path) -> Result<Self> {
        let file = file.canonicalize().with_context(|| format!("no program at {}", file.display()))?;
        Ok(Self(file))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The program on the log in `data`, on a free port.
    pub(crate) fn command(&self, data: &Path) -> Command {
        self.command_at(data, "127.0.0.1:0")
    }

    pub(crate) fn command_at(&self, data: &Path, listen: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.arg("--data").arg(data).args(["--listen", listen]);
        // What this program was told by its environment is no configuration of a store.
        let told = env::vars_os().map(|(name, _)| name);
        for name in told.filter(|name| name.to_string_lossy().starts_with("ANNALS_")) {
            command.env_remove(name);
        }
        quiet(&mut command);
        command
    }
}

/// This program, to run as a process of its own.
pub(crate) fn own_program() -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    quiet(&mut command);
    Ok(command)
}

/// Only errors are printed, and no spans are sent anywhere.
pub(crate) fn quiet(command: &mut Command) {
    command.env("RUST_LOG", "error").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
}

/// Cargo in this repository.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).kill_on_drop(true);
    cargo
}

fn is_release(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "release")
}

/// The program in a folder, killed with kill -9.
pub(crate) struct Killed {
    program: Program,
    folder: TempDir,
}

impl Killed {
    pub(crate) fn new(program: Program) -> Result<Self> {
        Ok(Self { program, folder: in_memory()? })
    }
}

impl Ground for Killed {
    async fn start(&mut self) -> Result<Server> {
        Server::start(self.program.command(self.folder.path())).await
    }

    async fn crash(&mut self, server: Server) -> Result<()> {
        server.kill().await
    }
}
