//! The payments service as a program: charges for each order that is placed. `--help` lists what can be configured.

use annals::service::Service;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    Service::run("payments", annals_shop::payments::build).await
}
