//! The command line.

use annals_service::listen_address;
use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The purchases that come with the shop; the folder is that of the crate, so that the shop finds them from anywhere.
const PURCHASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/purchases.csv");

/// An online CD shop on Annals: three microservices, one log, read models, a replay and a trace.
///
/// Starts orders, payments and shipping in this process, feeds them a file of purchases over HTTP, waits until
/// all reactions and read models are done, rebuilds one read model from the middle of the log while it is being
/// queried, shows how the events of one order caused each other, and then keeps serving until Ctrl-C.
///
/// The same data folder can be used again: the shop goes on from where it was, and purchases that it knows are not
/// counted twice.
#[derive(Clone, Debug, Parser)]
#[command(name = "annals-shop-demo", version, after_help = AFTER_HELP)]
pub struct Options {
    /// Exit after the report instead of serving on.
    #[arg(long)]
    pub once: bool,

    /// Write the report as one JSON object to standard output; everything else goes to standard error.
    #[arg(long)]
    pub json: bool,

    /// The folder for the log, the read models and their snapshots; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "annals-data")]
    pub data: PathBuf,

    /// The purchases to feed: lines of customer_id,date,items,total_usd.
    #[arg(long, value_name = "FILE", default_value = PURCHASES, hide_default_value = true)]
    pub purchases: PathBuf,

    /// Where to serve HTTP. Port 0 takes a free one; the shop says which.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = listen_address)]
    pub listen: SocketAddr,

    /// Use the event store that runs there, e.g. http://127.0.0.1:7400, instead of a log in the data folder.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
}

const AFTER_HELP: &str = "\
Examples:
  annals-shop-demo                       the CDNOW purchases, then serve until Ctrl-C
  annals-shop-demo --once --json              only the report, for programs
  annals-shop-demo --data /tmp/shop --listen 127.0.0.1:8080
  annals-shop-demo --purchases my.csv --once

While it serves (the port is on standard error):
  curl -s localhost:8080/                          what there is
  curl -s localhost:8080/customers/0001            what a customer is worth
  curl -s localhost:8080/orders -H 'content-type: application/json' \\
       -d '{\"customer_id\":\"0001\",\"ordered_on\":\"1998-07-01\",\"items\":1,\"total_cents\":1499}'
  curl -s 'localhost:8080/orders/<order_id>?wait_for=<token>'

Environment: RUST_LOG (log lines on standard error), OTEL_EXPORTER_OTLP_ENDPOINT (where to send spans).";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }
}
