//! Appends and their results.

use crate::{
    InvalidMessage,
    event::{id_bytes, optional_id},
    invalid::{exactly, named, required},
    v1,
};
use annals_event::{
    Append, ExpectedVersion, MarkName, MarkUpdate, NewEvent, Opening, Receipt, RequestId, Requirement,
    Sequence, SequenceRange, StreamName, StreamWrite, Timestamp, Version,
};
use v1::expected_version::{Kind, State};

impl From<ExpectedVersion> for v1::ExpectedVersion {
    fn from(expected: ExpectedVersion) -> Self {
        let state = |state: State| Kind::State(state.into());
        let kind = match expected {
            ExpectedVersion::Any => state(State::Any),
            ExpectedVersion::NoStream => state(State::NoStream),
            ExpectedVersion::Exists => state(State::Exists),
            ExpectedVersion::Exact(version) => Kind::Exact(version.get()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::ExpectedVersion> for ExpectedVersion {
    type Error = InvalidMessage;

    fn try_from(expected: v1::ExpectedVersion) -> Result<Self, InvalidMessage> {
        let field = "ExpectedVersion.state";
        match required("ExpectedVersion.kind", expected.kind)? {
            Kind::Exact(version) => Ok(Self::Exact(Version::new(version))),
            Kind::State(state) => match State::try_from(state) {
                Ok(State::Any) => Ok(Self::Any),
                Ok(State::NoStream) => Ok(Self::NoStream),
                Ok(State::Exists) => Ok(Self::Exists),
                _ => Err(InvalidMessage::OutOfRange { field, value: state.into() }),
            },
        }
    }
}

/// `expected` is a message field, and such a field may be missing.
pub(crate) fn expected_version(
    field: &'static str,
    expected: Option<v1::ExpectedVersion>,
) -> Result<ExpectedVersion, InvalidMessage> {
    required(field, expected)?.try_into()
}

impl From<Append> for v1::AppendRequest {
    fn from(append: Append) -> Self {
        Self {
            request_id: id_bytes(append.request_id.as_bytes()),
            writes: append.writes.into_iter().map(Into::into).collect(),
            requires: append.requires.into_iter().map(Into::into).collect(),
            marks: append.marks.into_iter().map(Into::into).collect(),
            opening: append.opening.map(|opening| id_bytes(opening.as_bytes())).unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::AppendRequest> for Append {
    type Error = InvalidMessage;

    fn try_from(append: v1::AppendRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            request_id: RequestId::from_bytes(exactly("AppendRequest.request_id", &append.request_id)?),
            writes: all(append.writes)?,
            requires: all(append.requires)?,
            marks: all(append.marks)?,
            opening: optional_id("AppendRequest.opening", &append.opening)?.map(Opening::from_bytes),
        })
    }
}

fn all<M, T: TryFrom<M>>(messages: Vec<M>) -> Result<Vec<T>, T::Error> {
    messages.into_iter().map(T::try_from).collect()
}

impl From<StreamWrite> for v1::StreamWrite {
    fn from(write: StreamWrite) -> Self {
        Self {
            stream: write.stream.as_str().to_owned(),
            expected: Some(write.expected.into()),
            events: write.events.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::StreamWrite> for StreamWrite {
    type Error = InvalidMessage;

    fn try_from(write: v1::StreamWrite) -> Result<Self, InvalidMessage> {
        let mut events: Vec<NewEvent> = all(write.events)?;
        for event in &mut events {
            // As in a header, what is malformed counts as absent.
            let trace = event.metadata.trace.take();
            event.metadata.trace = trace.map(|trace| {
                let state = [trace.state.clone()];
                trace.with_state(state)
            });
        }
        Ok(Self {
            stream: named("StreamWrite.stream", StreamName::new(write.stream))?,
            expected: expected_version("StreamWrite.expected", write.expected)?,
            events,
        })
    }
}

impl From<Requirement> for v1::Requirement {
    fn from(required: Requirement) -> Self {
        Self { stream: required.stream.as_str().to_owned(), expected: Some(required.expected.into()) }
    }
}

impl TryFrom<v1::Requirement> for Requirement {
    type Error = InvalidMessage;

    fn try_from(required: v1::Requirement) -> Result<Self, InvalidMessage> {
        Ok(Self {
            stream: named("Requirement.stream", StreamName::new(required.stream))?,
            expected: expected_version("Requirement.expected", required.expected)?,
        })
    }
}

impl From<MarkUpdate> for v1::MarkUpdate {
    fn from(update: MarkUpdate) -> Self {
        Self {
            mark: update.mark.as_str().to_owned(),
            expected: update.expected.map(Sequence::get),
            value: update.value.get(),
        }
    }
}

impl TryFrom<v1::MarkUpdate> for MarkUpdate {
    type Error = InvalidMessage;

    fn try_from(update: v1::MarkUpdate) -> Result<Self, InvalidMessage> {
        Ok(Self {
            mark: named("MarkUpdate.mark", MarkName::new(update.mark))?,
            expected: update.expected.map(Sequence::new),
            value: Sequence::new(update.value),
        })
    }
}

impl From<Receipt> for v1::AppendResponse {
    fn from(receipt: Receipt) -> Self {
        let range =
            |range: SequenceRange| v1::SequenceRange { first: range.first.get(), last: range.last.get() };
        Self {
            events: receipt.events.map(range),
            versions: receipt.versions.into_iter().map(Version::get).collect(),
            head: receipt.head.get(),
            recorded_at_us: receipt.recorded_at.as_micros(),
            repeated: receipt.repeated,
        }
    }
}

impl From<v1::AppendResponse> for Receipt {
    fn from(response: v1::AppendResponse) -> Self {
        let range = |range: v1::SequenceRange| SequenceRange {
            first: Sequence::new(range.first),
            last: Sequence::new(range.last),
        };
        Self {
            events: response.events.map(range),
            versions: response.versions.into_iter().map(Version::new).collect(),
            head: Sequence::new(response.head),
            recorded_at: Timestamp::from_micros(response.recorded_at_us),
            repeated: response.repeated,
        }
    }
}
