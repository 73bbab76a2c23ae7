use std::time::Duration;

/// The longest time that is reckoned with: a century is for ever, and a clock can reach it.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// How long to wait, and how to try again. [`Duration::MAX`] is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long one attempt to connect may take.
    pub connect_time_max: Duration,
    /// How long one attempt of a request may take.
    pub request_time_max: Duration,
    /// How long a server that cannot be reached is tried again, with waits as [`Backoff`](annals_store::Backoff) has them,
    /// until the caller gets `Unavailable`. Zero: one attempt.
    pub retry_time_max: Duration,
    /// How long a call may take, all its attempts together, until the caller gets `Unavailable`: the deadline of whoever
    /// calls. [`GrpcStore::within`](crate::GrpcStore::within) gives a handle with another one.
    pub call_time_max: Duration,
    /// A connection that is silent for so long is asked whether the server is still there.
    pub keepalive_interval: Duration,
    /// How long the server may take to answer that.
    pub keepalive_time_max: Duration,
}

impl Options {
    /// How long one attempt to connect may take when nobody says otherwise, in milliseconds.
    pub const CONNECT_MS_MAX_DEFAULT: u64 = 5_000;
    /// How long one attempt of a request may take when nobody says otherwise, in milliseconds.
    pub const REQUEST_MS_MAX_DEFAULT: u64 = 30_000;
    /// How long a server is tried again when nobody says otherwise, in milliseconds.
    pub const RETRY_MS_MAX_DEFAULT: u64 = 30_000;
    /// How long a call may take when nobody says otherwise, in milliseconds.
    pub const CALL_MS_MAX_DEFAULT: u64 = 30_000;

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
