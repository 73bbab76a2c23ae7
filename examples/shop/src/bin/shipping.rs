//! The shipping service as a program: sends each order that is paid for. `--help` lists what can be configured.

use annals::service::Service;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    Service::run("shipping", annals_shop::shipping::build).await
}
