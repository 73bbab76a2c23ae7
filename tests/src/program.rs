//! A program of the workspace as a process: started, read from, killed or ended by its id.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// A built program.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// Builds `package`'s program in the profile of the running test, unless it is already built.
    pub fn build(package: &str) -> Result<Self> {
        let test = std::env::current_exe()?;
        let profile = test.ancestors().nth(2).context("the test is in no target folder")?;
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", package, "--target-dir"]);
        cargo.arg(profile.parent().context("the profile's folder has no parent")?);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        ensure!(cargo.status()?.success(), "{package} cannot be built");
        Ok(Self(profile.join(package)))
    }

    /// The program at this path, already built.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The program with these arguments, its output caught, not configured by the environment of whoever runs the tests.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.0);
        for name in settings() {
            command.env_remove(name);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Result<Output> {
        Ok(self.command(arguments).output()?)
    }

    /// Runs it to its end, which must be a success, and reads its standard output as JSON.
    pub fn report(&self, arguments: &[impl AsRef<OsStr>]) -> Result<Value> {
        let output = self.run(arguments)?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{} ended with {}: {told}", self.0.display(), output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("the report is not JSON: {told}"))
    }

    /// Starts it. Its standard output is kept for [`Running::report`], so it must be short.
    pub fn start(&self, arguments: &[impl AsRef<OsStr>]) -> Result<Running> {
        Ok(Running(self.command(arguments).stderr(Stdio::null()).spawn()?))
    }
}

/// The variables of this process that a program would take for its configuration: tests have some of their own.
pub fn settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("ANNALS_"))
}

/// A running program, killed when this is dropped.
#[derive(Debug)]
pub struct Running(pub(crate) Child);

impl Running {
    /// Kills it with SIGKILL if it is still running, and returns whether it was.
    pub fn kill(&mut self) -> Result<bool> {
        let running = self.0.try_wait()?.is_none();
        if running {
            self.0.kill()?;
            self.0.wait()?;
        }
        Ok(running)
    }

    /// The most memory that it has used, in bytes, as the system counts it.
    pub fn memory_bytes_max(&self) -> Result<u64> {
        memory_bytes_max(&PathBuf::from(format!("/proc/{}/status", self.0.id())))
    }

    /// Waits for its end, which must be a success, and reads its standard output as JSON.
    pub fn report(&mut self) -> Result<Value> {
        let mut said = String::new();
        self.0.stdout.take().context("the report was read before")?.read_to_string(&mut said)?;
        ensure!(self.0.wait()?.success(), "it failed");
        Ok(serde_json::from_str(&said)?)
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn memory_bytes_max(status: &Path) -> Result<u64> {
    let status = std::fs::read_to_string(status)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("there is no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}
