//! What time it is: the machine's, or a test's.

use annals_event::Timestamp;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Says what time it is. Cloning it gives another handle to the same clock.
#[derive(Clone, Debug, Default)]
pub(super) enum Clock {
    /// The machine's.
    #[default]
    Machine,
    /// A test's, which moves when it is told to.
    Virtual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    pub(super) fn at(time: Timestamp) -> Self {
        Self::Virtual(Arc::new(Mutex::new(time)))
    }

    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::Machine => SystemTime::now().into(),
            Self::Virtual(time) => *time.lock(),
        }
    }

    /// Moves a test's clock on, and says what time it is then.
    pub(super) fn advance(&self, by: Duration) -> Timestamp {
        if let Self::Virtual(time) = self {
            let mut time = time.lock();
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            *time = Timestamp::from_micros(time.as_micros().saturating_add(by));
        }
        self.now()
    }
}
