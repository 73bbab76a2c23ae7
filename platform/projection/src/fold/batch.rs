//! Events of the log as every projection of a read model wants them.
//!
//! What always holds: a batch has every wanted event between its two checkpoints, all read in one opening of the log, and the chain
//! value at its end is of that opening too. What is cut off before an event is such a batch itself.

use crate::{
    ReadModel, Tally,
    error::{EventError, FoldError},
    unit::{Decoded, Unit},
};
use annals_event::{EventBatch, Opening, Sequence};
use annals_store::{EventStore, chain_in};

/// Events of the log up to a place, decoded for every projection of a read model.
pub(crate) struct DecodedBatch {
    /// What each projection made of the events, in the order of the model's units.
    pub(crate) work: Vec<Decoded>,
    /// The events.
    pub(crate) applied: Tally,
    /// The checkpoint before: every wanted event above it and up to `through` is in the batch.
    pub(crate) after: Sequence,
    /// The checkpoint afterwards.
    pub(crate) through: Sequence,
    /// The log's chain value there; `None`: it is not known.
    pub(crate) chain: Option<[u8; 16]>,
    /// The log's head when the last of the events was read.
    pub(crate) head: Sequence,
    /// The opening of the log in which they were read.
    opening: Opening,
    /// The events as they were read, for the case that only some of them can be applied.
    events: Vec<EventBatch>,
}

impl DecodedBatch {
    /// Decodes `events`, which lie in (`after`, `through`]. The chain value is left out.
    pub(crate) fn decode(
        model: &ReadModel,
        events: Vec<EventBatch>,
        span: Span,
    ) -> Result<Self, (EventError, Vec<EventBatch>)> {
        let mut applied = Tally::NONE;
        for event in events.iter().flat_map(EventBatch::iter) {
            applied.add(event.sequence(), event.id());
        }
        let decode = |unit: &std::sync::Arc<dyn Unit>| unit.decode(&events);
        match model.units().iter().map(decode).collect() {
            Ok(work) => {
                let Span { after, through, head, opening } = span;
                Ok(Self { work, applied, after, through, chain: None, head, opening, events })
            }
            Err(error) => Err((error, events)),
        }
    }

    /// The same batch, decoded anew from the events as they were read.
    pub(crate) fn again(&self, model: &ReadModel) -> Result<Self, EventError> {
        let span = self.span();
        let again = Self::decode(model, self.events.clone(), span).map_err(|(error, _)| error)?;
        Ok(again.with_chain(self.chain))
    }

    /// The same batch without `sequence` and what comes after it. `store` is the one that the events are from.
    pub(crate) async fn before(
        &self,
        model: &ReadModel,
        store: &dyn EventStore,
        sequence: Sequence,
    ) -> Result<Self, FoldError> {
        let through = sequence.previous();
        let span = Span { through, ..self.span() };
        let before = Self::decode(model, cut(&self.events, sequence), span).map_err(|(error, _)| error)?;
        Ok(before.with_chain(chain_in(store, through, self.opening).await?))
    }

    fn span(&self) -> Span {
        Span { after: self.after, through: self.through, head: self.head, opening: self.opening }
    }

    /// The same batch with the log's chain value at its end.
    pub(crate) fn with_chain(self, chain: Option<[u8; 16]>) -> Self {
        Self { chain, ..self }
    }
}

/// Where a batch lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) after: Sequence,
    pub(crate) through: Sequence,
    pub(crate) head: Sequence,
    pub(crate) opening: Opening,
}

/// The events below `sequence`.
pub(crate) fn cut(events: &[EventBatch], sequence: Sequence) -> Vec<EventBatch> {
    events.iter().map(|batch| batch.filter(|event| event.sequence() < sequence)).collect()
}
