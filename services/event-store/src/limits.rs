use annals_service::HttpLimits;
use annals_wire::limits::REQUEST_BYTES_MAX;

/// How much, how long, and how many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What holds for every request. The message's size is that of the protocol: [`annals_wire::limits`].
    pub http: HttpLimits,
    /// Subscriptions at once, over all connections.
    pub subscriptions_max: usize,
}

impl Limits {
    /// Subscriptions at once when nobody says otherwise.
    pub const SUBSCRIPTIONS_MAX_DEFAULT: usize = 512;
}

impl Default for Limits {
    fn default() -> Self {
        let message_bytes_max = u32::try_from(REQUEST_BYTES_MAX).unwrap_or(u32::MAX);
        Self {
            http: HttpLimits { message_bytes_max, ..HttpLimits::default() },
            subscriptions_max: Self::SUBSCRIPTIONS_MAX_DEFAULT,
        }
    }
}
