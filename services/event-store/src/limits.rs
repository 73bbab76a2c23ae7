use std::time::Duration;

/// How much, how long, and how many at once. How large a message may be is part of the protocol:
/// [`annals_wire::limits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. More wait in the system's queue until one is closed.
    pub connections_max: usize,
    /// Requests and subscriptions at once on one connection.
    pub streams_per_connection_max: u32,
    /// Subscriptions at once, over all connections.
    pub subscriptions_max: usize,
    /// How long a request may take, from its headers to its answer.
    pub request_time_max: Duration,
    /// How long a connection may take to say what it wants, and an HTTP/1 request to send its headers.
    pub header_time_max: Duration,
    /// A connection that is silent for so long is asked whether it is still there.
    pub keepalive_interval: Duration,
    /// How long it may take to answer that.
    pub keepalive_time_max: Duration,
    /// How long answers that are under way may take once the server shuts down.
    pub shutdown_time_max: Duration,
}

impl Limits {
    /// Connections at once when nobody says otherwise.
    pub const CONNECTIONS_MAX_DEFAULT: usize = 1_024;
    /// Subscriptions at once when nobody says otherwise.
    pub const SUBSCRIPTIONS_MAX_DEFAULT: usize = 512;
    /// How long a request may take when nobody says otherwise, in milliseconds.
    pub const REQUEST_MS_MAX_DEFAULT: u64 = 30_000;

    const STREAMS_PER_CONNECTION_MAX_DEFAULT: u32 = 256;
    const HEADER_MS_MAX_DEFAULT: u64 = 10_000;
    const KEEPALIVE_MS_DEFAULT: u64 = 20_000;
    const SHUTDOWN_MS_MAX_DEFAULT: u64 = 10_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: Self::CONNECTIONS_MAX_DEFAULT,
            streams_per_connection_max: Self::STREAMS_PER_CONNECTION_MAX_DEFAULT,
            subscriptions_max: Self::SUBSCRIPTIONS_MAX_DEFAULT,
            request_time_max: Duration::from_millis(Self::REQUEST_MS_MAX_DEFAULT),
            header_time_max: Duration::from_millis(Self::HEADER_MS_MAX_DEFAULT),
            keepalive_interval: Duration::from_millis(Self::KEEPALIVE_MS_DEFAULT),
            keepalive_time_max: Duration::from_millis(Self::KEEPALIVE_MS_DEFAULT),
            shutdown_time_max: Duration::from_millis(Self::SHUTDOWN_MS_MAX_DEFAULT),
        }
    }
}
