//! The commands on a log that is not being served.

use crate::not_opened;
use annals_event_store::{KEYS, NAME};
use annals_service::{Config, Exit, ProgramError, counted};
use annals_store_log::{LogStore, OpenError, Options, VerifyError, VerifyProgress, holds_log, verify};
use std::{
    error::Error,
    ffi::OsString,
    io::{self, Write},
    path::Path,
};

/// What to do instead of serving.
pub(crate) enum Command {
    /// Reads and verifies everything, without changing it.
    Verify,
    /// Copies the log to a new folder and verifies the copy.
    BackUp,
}

impl Command {
    /// The command that a command line begins with.
    pub(crate) fn take_from(arguments: &mut Vec<OsString>) -> Option<Self> {
        let command = match arguments.first()?.to_str()? {
            "verify" => Self::Verify,
            "backup" => Self::BackUp,
            _ => return None,
        };
        arguments.remove(0);
        Some(command)
    }
}

/// Runs a command with the rest of the command line.
pub(crate) async fn run(command: Command, mut arguments: Vec<OsString>) -> Result<(), ProgramError> {
    let to = match command {
        Command::BackUp => take_value(&mut arguments, "--to"),
        Command::Verify => None,
    };
    let config = Config::of_program(NAME, &KEYS, arguments)?;
    if let Some(answer) = config.answer() {
        return say(answer.trim_end());
    }
    match (command, to) {
        (Command::Verify, _) => verify_log(&config.data),
        (Command::BackUp, Some(to)) => back_up(&config.data, Path::new(&to)).await,
        (Command::BackUp, None) => {
            Err(ProgramError::told(Exit::Configuration, "--to DIR is missing: the new folder"))
        }
    }
}

/// Takes a flag and what stands after it out of a command line.
fn take_value(arguments: &mut Vec<OsString>, flag: &str) -> Option<OsString> {
    let at = arguments.iter().position(|argument| {
        argument == flag || argument.to_str().is_some_and(|text| text.starts_with(&format!("{flag}=")))
    })?;
    let found = arguments.remove(at);
    match found.to_str().and_then(|text| text.split_once('=')) {
        Some((_, value)) => Some(value.into()),
        None => (at < arguments.len()).then(|| arguments.remove(at)),
    }
}

/// Verifies everything in the folder. Progress goes to standard error; each damage and a summary go to standard output.
fn verify_log(data: &Path) -> Result<(), ProgramError> {
    let mut told_tenths = 0;
    let report = verify(data, |progress| tell_tenths(progress, &mut told_tenths));
    let report = report.map_err(|error| match error {
        VerifyError::InUse { folder } => not_opened(data, OpenError::InUse { folder }),
        other => failed(&other),
    })?;
    for finding in &report.findings {
        say(&finding.to_string())?;
    }
    if report.unfinished_bytes > 0 {
        let bytes = counted(report.unfinished_bytes, "byte");
        say(&format!(
            "after the end of the log: {bytes} of appends that were never answered; the next start removes them"
        ))?;
    }
    say(&format!("{} in {}", counted(report.events, "event"), counted(report.segments, "segment")))?;
    match report.findings.len() {
        0 => Ok(()),
        count => {
            let places = counted(count, "place");
            let reason = format!("the log in {} is damaged in {places}", data.display());
            Err(ProgramError::told(Exit::Store, reason))
        }
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
async fn back_up(data: &Path, to: &Path) -> Result<(), ProgramError> {
    let unreadable =
        |error| ProgramError::told(Exit::Store, format!("cannot read {}: {error}", data.display()));
    if !holds_log(data).map_err(unreadable)? {
        return Err(ProgramError::told(Exit::Store, format!("{} contains no log", data.display())));
    }
    let store = LogStore::open(data, Options::default()).await.map_err(|error| match error {
        OpenError::InUse { .. } => ProgramError::told(
            Exit::FolderHeld,
            format!(
                "a log that is being served is backed up through its server: POST /v1/backup; {}",
                not_opened(data, error)
            ),
        ),
        other => not_opened(data, other),
    })?;
    let backup = store.backup(to.to_owned()).await;
    store.close().await.map_err(|error| failed(&error))?;
    let backup = backup.map_err(|error| failed(&error))?;
    say(&format!("backed up to {}, up to event {}", to.display(), backup.head))
}

fn failed(error: &(dyn Error + 'static)) -> ProgramError {
    ProgramError::new(Exit::Store, error)
}

/// What was asked for: somebody is there to read it.
fn say(line: &str) -> Result<(), ProgramError> {
    writeln!(io::stdout(), "{line}").map_err(|error| ProgramError::new(Exit::PartEnded, &error))
}
