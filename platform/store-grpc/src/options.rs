use std::time::Duration;

/// Longer times are cut to this one: a century is practically forever, and adding it to a clock does not overflow.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// How long to wait, and how long to retry. [`Duration::MAX`] means forever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long one attempt to connect may take.
    pub connect_time_max: Duration,
    /// How long one attempt of a request may take.
    pub request_time_max: Duration,
    /// How long an unreachable server is tried again, with the waits of [`Backoff`](annals_store::Backoff), before a subscription
    /// ends with `Unavailable`. A call is tried again for as long, but never past its deadline. Zero: one attempt.
    pub retry_time_max: Duration,
    /// The caller's deadline: how long a call may take, including all its attempts, before the caller gets `Unavailable`. So
    /// long a request to a service waits for a store that is away, since nothing above the adapter repeats a call.
    /// [`GrpcStore::within`](crate::GrpcStore::within) gives a handle with another deadline.
    pub call_time_max: Duration,
    /// How long a connection may be silent before it is checked with a ping.
    pub keepalive_interval: Duration,
    /// How long the server may take to answer the ping.
    pub keepalive_time_max: Duration,
}

impl Options {
    /// The default of [`connect_time_max`](Self::connect_time_max), in milliseconds.
    pub const CONNECT_MS_MAX_DEFAULT: u64 = 5_000;
    /// The default of [`request_time_max`](Self::request_time_max), in milliseconds.
    pub const REQUEST_MS_MAX_DEFAULT: u64 = 30_000;
    /// The default of [`retry_time_max`](Self::retry_time_max), in milliseconds.
    pub const RETRY_MS_MAX_DEFAULT: u64 = 30_000;
    /// The default of [`call_time_max`](Self::call_time_max), in milliseconds.
    pub const CALL_MS_MAX_DEFAULT: u64 = 5_000;

    const KEEPALIVE_MS_DEFAULT: u64 = 10_000;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_time_max: Duration::from_millis(Self::CONNECT_MS_MAX_DEFAULT),
            request_time_max: Duration::from_millis(Self::REQUEST_MS_MAX_DEFAULT),
            retry_time_max: Duration::from_millis(Self::RETRY_MS_MAX_DEFAULT),
            call_time_max: Duration::from_millis(Self::CALL_MS_MAX_DEFAULT),
            keepalive_interval: Duration::from_millis(Self::KEEPALIVE_MS_DEFAULT),
            keepalive_time_max: Duration::from_millis(Self::KEEPALIVE_MS_DEFAULT),
        }
    }
}
