//! The whole shop as one program: three services over one log, at one address. `--help` lists what can be configured.

use annals::service::Service;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    Service::run("shop", annals_shop::build).await
}
