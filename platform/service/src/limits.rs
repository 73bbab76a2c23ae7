use crate::STOP_TIME_MAX;
use std::time::Duration;

/// How much, how long and how many at once: every limit of an HTTP server, for both versions of HTTP and for gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once. More wait in the system's queue until one is closed.
    pub connections_max: usize,
    /// Requests at once on one connection.
    pub streams_per_connection_max: u32,
    /// Bytes of requests' bodies that are held at once, over all connections, from before they are read until their
    /// requests are answered. At least [`body_bytes_max`](Self::body_bytes_max) and
    /// [`message_bytes_max`](Self::message_bytes_max) are; one connection has a quarter at most, or one body.
    pub budget_bytes: u32,
    /// Largest body of a request, in bytes.
    pub body_bytes_max: u32,
    /// Largest message of a gRPC request, in bytes. A gRPC request has one message.
    pub message_bytes_max: u32,
    /// How long a connection may take to say what it wants, and an HTTP/1 connection to send a request's headers, the time
    /// between two requests included.
    pub header_time_max: Duration,
    /// How long a body that is being read may pause.
    pub body_pause_max: Duration,
    /// How long a request may take, from its headers to its answer, its body included; its body alone when it is
    /// [`Unhurried`](crate::Unhurried).
    pub request_time_max: Duration,
    /// How long the caller may take to take an answer: over HTTP/2 the whole of it, unless it is
    /// [`LongLived`](crate::LongLived), and on any connection to take anything at all.
    pub answer_time_max: Duration,
    /// An HTTP/2 connection without requests is closed after so long.
    pub idle_time_max: Duration,
    /// An HTTP/2 connection that is silent for so long is asked whether it is still there.
    pub keepalive_interval: Duration,
    /// How long it may take to answer that.
    pub keepalive_time_max: Duration,
    /// How long answers that are under way may take once the server shuts down. A program that ends as [`Ending`](crate::Ending)
    /// says cuts them off earlier.
    pub shutdown_time_max: Duration,
}

/// The longest time that is reckoned with: a century is for ever, and a clock can reach it.
const TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
/// How much of one request's body the caller may send ahead, in bytes. HTTP/2's own default: a caller that has not read
/// the server's settings keeps to it.
pub(crate) const STREAM_WINDOW_BYTES: u32 = (64 << 10) - 1;
/// Largest HTTP/2 frame that is taken, in bytes: HTTP/2's own least.
pub(crate) const FRAME_BYTES_MAX: u32 = 16 << 10;
/// What comes before a message in gRPC, in bytes: whether it is compressed, and its length.
pub(crate) const PREFIX_BYTES: u32 = 5;
/// How much of one request's body may be here before it is reserved, in bytes: the frame with the end of its message's prefix,
/// and what the caller sends ahead then.
pub(crate) const AHEAD_BYTES_MAX: u32 = PREFIX_BYTES + FRAME_BYTES_MAX + STREAM_WINDOW_BYTES;
/// What all connections' callers may send ahead of what is read, in bytes, with at least
/// [`CONNECTION_WINDOW_BYTES_MIN`] each. Half as much again may have been read for requests that wait.
const WINDOWS_BYTES_MAX: usize = 512 << 20;
/// Least that the caller may send ahead on one connection, in bytes: less holds up requests that wait for nothing.
const CONNECTION_WINDOW_BYTES_MIN: u32 = 256 << 10;
/// Most that the caller may send ahead on one connection, in bytes: more makes no connection faster.
const CONNECTION_WINDOW_BYTES_MAX: u32 = 4 << 20;
/// One connection has so much of the budget: a part in so many.
const SHARES: u32 = 4;

impl HttpLimits {
    /// Connections at once when nobody says otherwise.
    pub const CONNECTIONS_MAX_DEFAULT: usize = 1_024;
    /// Bytes of bodies at once when nobody says otherwise.
    pub const BUDGET_BYTES_DEFAULT: u32 = 64 << 20;
    /// Largest body when nobody says otherwise, in bytes.
    pub const BODY_BYTES_MAX_DEFAULT: u32 = 16 << 10;
    /// Largest gRPC message when nobody says otherwise, in bytes: gRPC's own default.
    pub const MESSAGE_BYTES_MAX_DEFAULT: u32 = 4 << 20;
    /// How long a request may take when nobody says otherwise, in milliseconds.
    pub const REQUEST_MS_MAX_DEFAULT: u64 = 30_000;

    const STREAMS_PER_CONNECTION_MAX_DEFAULT: u32 = 256;
    const HEADER_MS_MAX_DEFAULT: u64 = 10_000;
    const BODY_PAUSE_MS_MAX_DEFAULT: u64 = 10_000;
    const ANSWER_MS_MAX_DEFAULT: u64 = 30_000;
    const IDLE_MS_MAX_DEFAULT: u64 = 300_000;
    const KEEPALIVE_MS_DEFAULT: u64 = 20_000;

    /// How much the caller may send ahead on one HTTP/2 connection, in bytes.
    pub(crate) fn connection_window(&self) -> u32 {
        let share = WINDOWS_BYTES_MAX / self.connections_max.max(1);
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        share.clamp(CONNECTION_WINDOW_BYTES_MIN, CONNECTION_WINDOW_BYTES_MAX)
    }

    /// The same with times that can be added to any clock's.
    pub(crate) fn reachable(self) -> Self {
        let reachable = |time: Duration| time.min(TIME_MAX);
        Self {
            header_time_max: reachable(self.header_time_max),
            body_pause_max: reachable(self.body_pause_max),
            request_time_max: reachable(self.request_time_max),
            answer_time_max: reachable(self.answer_time_max),
            idle_time_max: reachable(self.idle_time_max),
            keepalive_interval: reachable(self.keepalive_interval),
            keepalive_time_max: reachable(self.keepalive_time_max),
            shutdown_time_max: reachable(self.shutdown_time_max),
            ..self
        }
    }

    /// Bytes that one body may need: the largest there may be, with what gRPC puts before it.
    fn reservation_bytes_max(&self) -> u32 {
        self.message_bytes_max.saturating_add(PREFIX_BYTES).max(self.body_bytes_max)
    }

    /// The budget, large enough for any body.
    pub(crate) fn budget(&self) -> u32 {
        self.budget_bytes.max(self.reservation_bytes_max())
    }

    /// One connection's part of the budget, large enough for any body.
    pub(crate) fn share(&self) -> u32 {
        (self.budget() / SHARES).max(self.reservation_bytes_max())
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: Self::CONNECTIONS_MAX_DEFAULT,
            streams_per_connection_max: Self::STREAMS_PER_CONNECTION_MAX_DEFAULT,
            budget_bytes: Self::BUDGET_BYTES_DEFAULT,
            body_bytes_max: Self::BODY_BYTES_MAX_DEFAULT,
            message_bytes_max: Self::MESSAGE_BYTES_MAX_DEFAULT,
            header_time_max: Duration::from_millis(Self::HEADER_MS_MAX_DEFAULT),
            body_pause_max: Duration::from_millis(Self::BODY_PAUSE_MS_MAX_DEFAULT),
            request_time_max: Duration::from_millis(Self::REQUEST_MS_MAX_DEFAULT),
            answer_time_max: Duration::from_millis(Self::ANSWER_MS_MAX_DEFAULT),
            idle_time_max: Duration::from_millis(Self::IDLE_MS_MAX_DEFAULT),
            keepalive_interval: Duration::from_millis(Self::KEEPALIVE_MS_DEFAULT),
            keepalive_time_max: Duration::from_millis(Self::KEEPALIVE_MS_DEFAULT),
            shutdown_time_max: STOP_TIME_MAX,
        }
    }
}
