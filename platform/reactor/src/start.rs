use annals_event::{Sequence, Timestamp};
use annals_store::{EventStore, ReadError};

/// Where a reactor begins on a log that is older than it is.
///
/// It counts once, when the reactor is first started: its mark says from then on where it is, and later starts look at
/// nothing else. So a reactor that was down reacts to all that it missed, whatever it says here. A log that is restored from a
/// backup made before that start has no mark, so the next start in it is the first one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the log's first event.
    Beginning,
    /// With the next event that is appended.
    Now,
    /// With the first event that was recorded at this time or later. A time that is still to come is as `Now`.
    At(Timestamp),
}

impl Start {
    /// The last event before it; `None`: there is none, whatever the log holds.
    pub(crate) async fn after(self, store: &dyn EventStore) -> Result<Option<Sequence>, ReadError> {
        Ok(match self {
            Self::Beginning => None,
            Self::Now => Some(store.head().await?.last),
            Self::At(time) => Some(store.sequence_at(time).await?.previous()),
        })
    }

    /// The same when it is asked for again in an older log, with events that came since: `Now` stays the time that it was.
    pub(crate) fn at(self, now: Timestamp) -> Self {
        if self == Self::Now { Self::At(now) } else { self }
    }
}
