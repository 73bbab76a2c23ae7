//! The orders service as a program: takes orders, follows what becomes of them, answers questions about them. `--help` lists what can be configured.

use annals::service::Service;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    Service::run("orders", annals_shop::orders::build).await
}
