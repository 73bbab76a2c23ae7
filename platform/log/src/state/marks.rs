//! Where consumers are, by the names that they gave.

use annals_event::{MarkName, Sequence};
use std::collections::BTreeMap;

/// In order, so that equal logs write equal checkpoints.
pub(crate) type Marks = BTreeMap<MarkName, Sequence>;
