//! Runs the shop: three microservices, one log, read models, a replay, a trace. `--help` tells the rest.

use annals::service::sentence;
use annals_shop::options::Options;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match annals_shop::run::run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("annals-shop: {}", sentence(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
