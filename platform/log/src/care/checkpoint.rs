//! Making a checkpoint of a log that is being written.
//!
//! What always holds: it is made in small steps. However many entries there are, no more than a few thousand are copied under
//! one hold of a lock that an append or a reader waits for.

use crate::format::{CheckpointBuilder, LogEnd, SegmentNumber};
use crate::read::Shared;
use annals_event::{MarkName, Sequence};
use std::ops::Bound;

/// How many marks are copied while the state is locked.
const STEP_MARKS: usize = 1_000;

/// A checkpoint's bytes, and what is in them.
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) replay_from: SegmentNumber,
    /// Where the log was durable.
    pub(crate) end: LogEnd,
}

/// The log's state as a checkpoint; `None` when a segment was begun meanwhile, so that it must be tried again.
pub(crate) fn encode(shared: &Shared) -> Option<Encoded> {
    let replay_from = shared.state.read().active_segment()?.number;
    let mut builder = CheckpointBuilder::new();
    shared.heads.for_each(|head| builder.add_head(head));
    add_marks(shared, &mut builder);
    let (end, requests) = {
        let state = shared.state.read();
        if state.active_segment()?.number != replay_from {
            return None;
        }
        (state.end, state.decided.window.requests())
    };
    let bytes = builder.finish(shared.log_id, replay_from, end.position, &requests);
    Some(Encoded { bytes, replay_from, end })
}

/// Adds the marks. No mark ever goes away, so none is missed between two steps.
fn add_marks(shared: &Shared, builder: &mut CheckpointBuilder) {
    let mut last = Bound::Unbounded;
    loop {
        let step: Vec<(MarkName, Sequence)> = {
            let state = shared.state.read();
            let marks = state.decided.marks.range((last, Bound::Unbounded)).take(STEP_MARKS);
            marks.map(|(mark, value)| (mark.clone(), *value)).collect()
        };
        step.iter().for_each(|(mark, value)| builder.add_mark(mark, *value));
        let Some((mark, _)) = step.into_iter().next_back() else { return };
        last = Bound::Excluded(mark);
    }
}
