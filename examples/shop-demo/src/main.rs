//! Runs the shop and its main job: three microservices, one log, read models, a replay, a trace. `--help` tells the rest.

use annals::service::ServiceError;
use annals_service::sentence;
use annals_shop_demo::options::Options;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match annals_shop_demo::run::run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("annals-shop-demo: {}", sentence(error.as_ref()));
            error.downcast_ref().map_or(ExitCode::FAILURE, |error: &ServiceError| error.exit().into())
        }
    }
}
