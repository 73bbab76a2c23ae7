//! The orders service as a program: `cargo run -p annals-orders`, and with `--help` what can be configured.

use annals::service::Service;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    Service::run("orders", annals_orders::build).await
}
