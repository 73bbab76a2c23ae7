//! All that the appends so far have decided, and all that the next ones are decided on.

use crate::state::heads::Heads;
use crate::state::window::{RequestHasher, Window};
use annals_event::{MarkName, Sequence};
use std::{collections::BTreeMap, sync::Arc};

/// Where consumers are, by the names that they gave: in order, so that equal logs write equal checkpoints.
pub(crate) type Marks = BTreeMap<MarkName, Sequence>;

pub(crate) struct Decided {
    /// Shared, so that one stream can be asked for without a lock on everything.
    pub(crate) heads: Arc<Heads>,
    pub(crate) marks: Marks,
    pub(crate) window: Window,
}

impl Decided {
    /// Before the first append. The window will hold at least `requests`.
    pub(crate) fn nothing(hasher: RequestHasher, requests: usize) -> Self {
        let window = Window::new(hasher, requests);
        Self { heads: Arc::new(Heads::new()), marks: Marks::new(), window }
    }
}
