//! The log's errors as the store's.

use annals_event::Sequence;
use annals_log::{
    AppendError as LogAppendError, Corruption, Log, MaintenanceError, ReadError as LogReadError,
};
use annals_store::{AppendError, Damage, ReadError};
use std::fmt::Display;
use tokio::task::JoinError;

/// Why the log was not closed cleanly. What was answered is safe all the same; the next opening recovers the rest.
#[derive(Debug, thiserror::Error)]
#[error("the log was not closed cleanly; the next start recovers it: {reason}")]
pub struct CloseError {
    reason: String,
}

impl CloseError {
    pub(crate) fn died(error: JoinError) -> Self {
        Self { reason: error.to_string() }
    }
}

impl From<MaintenanceError> for CloseError {
    fn from(error: MaintenanceError) -> Self {
        Self { reason: error.to_string() }
    }
}

pub(crate) fn damage(corruption: Corruption) -> Damage {
    let Corruption { file, offset, what } = corruption;
    Damage { place: file.display().to_string(), offset: Some(offset), reason: what.to_owned() }
}

pub(crate) fn unavailable(reason: impl Display) -> AppendError {
    AppendError::Unavailable { reason: reason.to_string() }
}

pub(crate) fn append(error: LogAppendError) -> AppendError {
    match error {
        LogAppendError::Invalid(invalid) => invalid.into(),
        LogAppendError::Conflict(conflict) => conflict.into(),
        LogAppendError::RequestIdReused { request_id } => AppendError::RequestIdReused { request_id },
        LogAppendError::RequestUnjudged { request_id, judged_after } => {
            AppendError::RequestUnjudged { request_id, judged_after }
        }
        LogAppendError::RequestAhead { request_id, ahead } => AppendError::RequestAhead { request_id, ahead },
        LogAppendError::EventIdReused { event_id } => AppendError::EventIdReused { event_id },
        LogAppendError::OriginalDropped { request_id } => AppendError::OriginalDropped { request_id },
        LogAppendError::ReadOnly { corruption } => AppendError::Corrupted(damage(corruption)),
        LogAppendError::Original(read) => match &*read {
            LogReadError::Corrupted(corruption) => AppendError::Corrupted(damage(corruption.clone())),
            other => unavailable(other),
        },
        other => unavailable(other),
    }
}

/// Why the log will have nothing new, if it stopped writing.
pub(crate) fn stopped(log: &Log) -> Option<ReadError> {
    let reason = log.stopped()?;
    Some(ReadError::Unavailable { reason: LogAppendError::Poisoned { reason }.to_string() })
}

/// Why appends are refused for lack of room, if they are.
pub(crate) fn without_room(log: &Log) -> Option<ReadError> {
    let reason = log.shortage()?;
    Some(ReadError::Unavailable { reason: LogAppendError::NoSpace { reason }.to_string() })
}

/// `requested` is where the read was to begin.
pub(crate) fn read(error: LogReadError, requested: Sequence) -> ReadError {
    match error {
        LogReadError::BelowStart { first } => ReadError::BelowStart { requested, first },
        LogReadError::Corrupted(corruption) => ReadError::Corrupted(damage(corruption)),
        other => ReadError::Unavailable { reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_event::{Conflict, ExpectedVersion, InvalidAppend, RequestId, StreamName, Version};
    use std::{io, sync::Arc};

    fn corruption() -> Corruption {
        Corruption { file: "0001.seg".into(), offset: 4_096, what: "the checksum does not match" }
    }

    #[test]
    fn damage_keeps_its_file_and_offset() {
        let text = "0001.seg at byte 4096: the checksum does not match";
        assert_eq!(damage(corruption()).to_string(), text);
        let read_only = append(LogAppendError::ReadOnly { corruption: corruption() });
        assert_eq!(read_only, AppendError::Corrupted(damage(corruption())));
        let original = Arc::new(LogReadError::Corrupted(corruption()));
        assert_eq!(append(LogAppendError::Original(original)), AppendError::Corrupted(damage(corruption())));
        let damaged = read(LogReadError::Corrupted(corruption()), Sequence::FIRST);
        assert_eq!(damaged, ReadError::Corrupted(damage(corruption())));
    }

    #[test]
    fn what_may_pass_is_unavailable_and_what_may_not_is_not() {
        let reason: Arc<str> = "no space left".into();
        for passing in [
            LogAppendError::NoSpace { reason: reason.clone() },
            LogAppendError::Poisoned { reason },
            LogAppendError::Closed,
        ] {
            let text = passing.to_string();
            assert_eq!(append(passing), AppendError::Unavailable { reason: text });
        }
        let cause = Arc::new(io::Error::other("away"));
        let failed = LogReadError::Io { file: "0001.seg".into(), cause };
        assert!(read(failed, Sequence::FIRST).is_retryable());
        let stream = StreamName::new("a").unwrap();
        let (expected, actual) = (ExpectedVersion::NoStream, Version::FIRST);
        let conflict = Conflict::Stream { stream, expected, actual };
        assert_eq!(append(conflict.clone().into()), AppendError::Conflict(conflict));
        assert_eq!(append(InvalidAppend::Empty.into()), AppendError::Invalid(InvalidAppend::Empty));
        let request_id = RequestId::generate();
        assert_eq!(
            append(LogAppendError::RequestIdReused { request_id }),
            AppendError::RequestIdReused { request_id }
        );
        assert_eq!(
            append(LogAppendError::OriginalDropped { request_id }),
            AppendError::OriginalDropped { request_id }
        );
    }

    #[test]
    fn a_read_below_the_start_names_what_was_asked_and_what_is_there() {
        let (requested, first) = (Sequence::new(3), Sequence::new(9));
        assert_eq!(
            read(LogReadError::BelowStart { first }, requested),
            ReadError::BelowStart { requested, first }
        );
    }
}
