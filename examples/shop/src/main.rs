//! Runs the shop: three microservices, one log, read models, a replay, a trace. `--help` tells the rest.

use annals_shop::options::Options;
use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match annals_shop::run::run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("annals-shop: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes in one line, each once: some errors already tell their cause themselves.
fn sentence(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_is_told_already_is_not_told_again() {
        let error = anyhow::anyhow!("no space left")
            .context("cannot write: no space left")
            .context("the log stopped");
        assert_eq!(sentence(&error), "the log stopped: cannot write: no space left");
    }
}
