//! What the controller can be told.

use annals_service::config::Keys;

/// Its name.
pub const NAME: &str = "annals-replay-controller";

/// Its keys. A request may take longer than a store that is away is tried for.
pub const KEYS: Keys = Keys {
    about: "Ask for replays of read models, watch them, promote them, roll them back, over HTTP.\n\n\
        Prints its address on standard output once it serves; everything else goes to standard error. Ctrl-C or SIGTERM ends it\n\
        within 10 seconds. It stores nothing: replays are events of the log, and the workers that carry them out run where the\n\
        read models are.\n\n\
        Try: curl -X POST localhost:7401/replays -H 'content-type: application/json' -d '{\"read_model\": \"customer_value\",\n\
        \"from\": 1, \"mode\": \"plan\"}'",
    version: Some(env!("CARGO_PKG_VERSION")),
    platform: &["listen", "store", "http", "telemetry"],
    defaults: &[
        ("listen", Some("127.0.0.1:7401")),
        ("store.url", Some("http://127.0.0.1:7400")),
        ("http.request", Some("60s")),
        ("http.body", Some("16 KiB")),
        ("http.drain", Some("0s")),
        ("http.shutdown", Some("5s")),
    ],
    own: &[],
    flags: &[],
    settings: false,
};
