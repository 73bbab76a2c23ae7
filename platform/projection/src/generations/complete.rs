use super::Generations;
use crate::{GenerationError, GenerationId, Tally};
use annals_event::Sequence;
use annals_store::ReadLog;
use std::fmt;

/// Whether a generation contains every event that it should, once. It says nothing of the rows: those are proven
/// by comparing them with a fresh fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completeness {
    /// Events up to here are not counted.
    pub base: Sequence,
    /// The generation's checkpoint.
    pub through: Sequence,
    /// What the generation has counted, applied and parked.
    pub found: Tally,
    /// What the log has between the two.
    pub expected: Tally,
}

impl Completeness {
    /// Whether both are equal.
    pub fn is_complete(&self) -> bool {
        self.found == self.expected
    }
}

impl fmt::Display for Completeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, through, found, expected) =
            (self.base.next(), self.through, self.found.count, self.expected.count);
        let others = if found == expected && !self.is_complete() { " others" } else { "" };
        write!(f, "from {first} to {through} it counts {found} events, the log has {expected}{others}")
    }
}

impl Generations {
    /// Counts the log's events between a generation's base and its checkpoint, and compares.
    pub async fn completeness(&self, id: GenerationId) -> Result<Completeness, GenerationError> {
        let status = self.status(id).await?;
        let (base, through) = (status.base, status.checkpoint);
        let found = status.applied.plus(status.parked);
        let expected = self.count(base, through).await?;
        Ok(Completeness { base, through, found, expected })
    }

    /// The events of the model in (`after`, `through`].
    pub(super) async fn count(&self, after: Sequence, through: Sequence) -> Result<Tally, GenerationError> {
        let (mut tally, mut from) = (Tally::NONE, after.next());
        while from <= through {
            let page = self.store.read_log(ReadLog::filtered(from, self.model.filter().clone())).await?;
            for event in page.events.iter().filter(|event| event.sequence() <= through) {
                tally.add(event.sequence(), event.id());
            }
            if page.is_last() {
                break;
            }
            from = page.through.next();
        }
        Ok(tally)
    }
}
