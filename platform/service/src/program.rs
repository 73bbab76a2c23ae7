//! A program from its configuration to its exit code: what `main` of every program does that serves.
//!
//! What always holds:
//!
//! * Nothing is set up before the configuration is known to be right, and `--help`, `--version` and `--print-config` set up nothing.
//! * A program that is told to stop ends in time, and at once when it is told a second time ([`Ending`]).
//! * Whatever ends it is one line on standard error, and its exit code is an [`Exit`]. No password is in that line. Where log lines are
//!   JSON objects, it is one of them, once the configuration is known.

use crate::{
    BindError, Config, ConfigError, Ending, Exit,
    config::{Wanted, redacted},
    sentence,
};
use annals_telemetry::{InitError, LogForm};
use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

/// What a program is to do.
#[derive(Debug)]
pub enum Task {
    /// To try what it needs and to start nothing: `--check`.
    Check(Config),
    /// To serve until the end begins.
    Serve(Config, Ending),
}

/// Why a program does not run, and what its process then ends with.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct ProgramError {
    exit: Exit,
    reason: String,
    /// A log line has it.
    logged: bool,
}

impl ProgramError {
    /// An error as the reason.
    pub fn new(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        Self::told(exit, sentence(error))
    }

    /// A sentence as the reason.
    pub fn told(exit: Exit, reason: impl AsRef<str>) -> Self {
        Self { exit, reason: redacted(reason.as_ref()), logged: false }
    }

    /// What the process ends with.
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells it on standard error, as the last thing that the program of this name does.
    pub fn end(&self, name: &str) -> ExitCode {
        if !self.logged {
            // If nobody reads standard error, the exit code still tells.
            let _ = writeln!(io::stderr(), "{name}: {self}");
        }
        self.exit.into()
    }
}

/// Runs a program, for `main`: answers what the configuration can answer, sets up telemetry, hears Ctrl-C and SIGTERM, and lets
/// `work` do the rest. What `work` returns is kept until the last spans and metrics are exported.
pub async fn program<T>(
    name: &str,
    config: Result<Config, ConfigError>,
    work: impl AsyncFnOnce(Task) -> Result<T, ProgramError>,
) -> ExitCode {
    let ended = match config {
        Ok(config) => run(config, work).await,
        Err(error) => Err(error.into()),
    };
    ended.map_or_else(|error| error.end(name), |()| Exit::Stopped.into())
}

async fn run<T>(
    config: Config,
    work: impl AsyncFnOnce(Task) -> Result<T, ProgramError>,
) -> Result<(), ProgramError> {
    if let Some(answer) = config.answer() {
        let _ = writeln!(io::stdout(), "{}", answer.trim_end());
        return Ok(());
    }
    if config.wanted == Wanted::Check {
        config.warnings().iter().for_each(|warning| warn_on_stderr(&config.name, warning));
        work(Task::Check(config)).await?;
        let _ = writeln!(io::stdout(), "the configuration can be used");
        return Ok(());
    }
    let lines = config.telemetry.log;
    let telemetry = annals_telemetry::init(config.telemetry.options(&config.name))?;
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let ending = Ending::of(&config);
    let hears = ending.begin_at_a_signal();
    hears.map_err(|error| ProgramError::told(Exit::PartEnded, format!("cannot hear signals: {error}")))?;
    let mut served = work(Task::Serve(config, ending.clone())).await;
    if let Err(error) = &mut served
        && lines == LogForm::Json
    {
        tracing::error!("{error}");
        error.logged = true;
    }
    ending.finish(telemetry).await;
    served.map(drop)
}

/// Warns where there are no log lines.
pub(crate) fn warn_on_stderr(name: &str, warning: &str) {
    let _ = writeln!(io::stderr(), "{name}: warning: {warning}");
}

impl Ending {
    /// The end that a configuration asks for: it drains first for `http.drain`, then it has twice `http.shutdown`. Requests have
    /// half of that, and the rest has what they leave. By default that is 25 s in all, on loopback 20 s.
    pub fn of(config: &Config) -> Self {
        Self::within_times(config.http.drain, config.http.limits.shutdown_time_max)
    }
}

impl BindError {
    /// What a process ends with because of it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::InUse { .. } => Exit::AddressInUse,
            _ => Exit::Configuration,
        }
    }
}

impl From<ConfigError> for ProgramError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Configuration, &error)
    }
}

impl From<InitError> for ProgramError {
    fn from(error: InitError) -> Self {
        Self::new(Exit::Configuration, &error)
    }
}

impl From<BindError> for ProgramError {
    fn from(error: BindError) -> Self {
        Self::new(error.exit(), &error)
    }
}

#[cfg(feature = "log")]
impl From<crate::FolderError> for ProgramError {
    fn from(error: crate::FolderError) -> Self {
        Self::new(error.exit(), &error)
    }
}

#[cfg(feature = "log")]
impl From<crate::store::StoreError> for ProgramError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::new(error.exit(), &error)
    }
}
