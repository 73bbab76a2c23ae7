use annals_service::HttpLimits;
use annals_wire::limits::REQUEST_BYTES_MAX;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How much, how long, and how many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The limits of every request. The maximum size of a message is set by the protocol: [`annals_wire::limits`].
    pub http: HttpLimits,
    /// How many subscriptions there may be at once, over all connections.
    pub subscriptions_max: usize,
}

impl Limits {
    /// The default of [`subscriptions_max`](Self::subscriptions_max).
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

/// The subscriptions that a server has. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    permits: Arc<Semaphore>,
    max: usize,
}

impl Subscriptions {
    pub(crate) fn at_most(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(max)), max }
    }

    /// How many there are now.
    pub fn open(&self) -> usize {
        self.max.saturating_sub(self.permits.available_permits())
    }

    /// Each takes one.
    pub(crate) fn permits(&self) -> Arc<Semaphore> {
        Arc::clone(&self.permits)
    }
}
