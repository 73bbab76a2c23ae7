//! Every error crosses the wire unchanged, and a foreign status is judged by its code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{
    Conflict, EventId, ExpectedVersion, InvalidAppend, LogId, MarkName, Opening, RequestId, Sequence,
    StreamName, Timestamp, Version,
};
use annals_store::{AppendError, Damage, ReadError};
use annals_wire::status::{of_append_error, of_read_error, to_append_error, to_read_error};
use std::time::Duration;
use tonic::{Code, Status};

fn stream() -> StreamName {
    StreamName::new("order-1").unwrap()
}
fn mark() -> MarkName {
    MarkName::new("reactor/payments").unwrap()
}
fn damage(offset: Option<u64>) -> Damage {
    Damage { place: "segment-7".into(), offset, reason: "checksum".into() }
}

fn log(id: u8) -> LogId {
    LogId::from_bytes([id; 16])
}

fn append_errors() -> Vec<(Code, AppendError)> {
    let conflict = |expected, actual| Conflict::Stream { stream: stream(), expected, actual };
    let mut errors: Vec<(Code, AppendError)> = vec![
        (Code::Aborted, conflict(ExpectedVersion::NoStream, Version::new(3)).into()),
        (Code::Aborted, conflict(ExpectedVersion::Exists, Version::ZERO).into()),
        (Code::Aborted, conflict(ExpectedVersion::Exact(Version::ZERO), Version::MAX).into()),
        (Code::AlreadyExists, AppendError::RequestIdReused { request_id: RequestId::generate() }),
        (Code::AlreadyExists, AppendError::OriginalDropped { request_id: RequestId::generate() }),
        (Code::AlreadyExists, AppendError::EventIdReused { event_id: EventId::generate() }),
        (
            Code::FailedPrecondition,
            AppendError::RequestUnjudged {
                request_id: RequestId::from_name("payments"),
                judged_after: Timestamp::from_micros(-7),
            },
        ),
        (
            Code::FailedPrecondition,
            AppendError::RequestAhead {
                request_id: RequestId::generate(),
                ahead: Duration::from_micros(7_000_001),
            },
        ),
        (Code::Unavailable, AppendError::Unavailable { reason: "the disk is full".into() }),
        (Code::FailedPrecondition, AppendError::OtherLog { wanted: log(1), found: log(2) }),
        (Code::DataLoss, AppendError::Corrupted(damage(Some(4096)))),
    ];
    for (expected, actual) in [(None, Some(Sequence::FIRST)), (Some(Sequence::ZERO), None)] {
        errors.push((Code::Aborted, Conflict::Mark { mark: mark(), expected, actual }.into()));
    }
    let (expected, actual) = (Opening::generate(), Opening::generate());
    errors.push((Code::Aborted, Conflict::Opening { expected, actual }.into()));
    errors.extend(invalid_appends().into_iter().map(|invalid| (Code::InvalidArgument, invalid.into())));
    errors
}

fn invalid_appends() -> Vec<InvalidAppend> {
    let too_many = |what| InvalidAppend::TooMany { what, actual: 10_001, max: 10_000 };
    let too_large = |what| InvalidAppend::TooLarge { what, bytes: 5 << 20, bytes_max: 4 << 20 };
    let mut invalid = vec![
        InvalidAppend::Empty,
        InvalidAppend::EmptyWrite(stream()),
        InvalidAppend::RepeatedStream(stream()),
        InvalidAppend::RepeatedMark(mark()),
        InvalidAppend::RepeatedEventId(EventId::generate()),
        InvalidAppend::SchemaVersionZero(EventId::generate()),
        InvalidAppend::Refused { reason: "not here".into() },
    ];
    invalid.extend(["events", "streams", "marks", "tags on one event"].map(too_many));
    invalid.extend(["payload", "metadata", "append"].map(too_large));
    invalid
}

#[test]
fn every_append_error_comes_back_the_same() {
    for (code, error) in append_errors() {
        let status = of_append_error(&error);
        assert_eq!((status.code(), status.message()), (code, error.to_string().as_str()));
        assert_eq!(to_append_error(&status), error);
    }
}

#[test]
fn every_read_error_comes_back_the_same() {
    for (code, error) in [
        (Code::OutOfRange, ReadError::BelowStart { requested: Sequence::FIRST, first: Sequence::new(9) }),
        (Code::InvalidArgument, ReadError::Invalid { reason: "no such thing".into() }),
        (Code::Unavailable, ReadError::Unavailable { reason: "starting".into() }),
        (Code::FailedPrecondition, ReadError::OtherLog { wanted: log(1), found: log(2) }),
        (Code::DataLoss, ReadError::Corrupted(damage(None))),
        (Code::DataLoss, ReadError::Corrupted(damage(Some(0)))),
    ] {
        let status = of_read_error(&error);
        assert_eq!((status.code(), status.message()), (code, error.to_string().as_str()));
        assert_eq!(to_read_error(&status), error);
    }
}

#[test]
fn a_status_without_a_detail_is_taken_by_its_code() {
    let refused = |code| matches!(to_append_error(&Status::new(code, "no")), AppendError::Invalid(_));
    for code in [Code::InvalidArgument, Code::OutOfRange, Code::Aborted, Code::Unauthenticated] {
        assert!(refused(code), "{code:?}");
        assert!(matches!(to_read_error(&Status::new(code, "no")), ReadError::Invalid { .. }), "{code:?}");
    }
    for code in [Code::Unavailable, Code::Internal, Code::Unknown, Code::Cancelled, Code::ResourceExhausted] {
        assert!(to_append_error(&Status::new(code, "no")).is_retryable(), "{code:?}");
        assert!(to_read_error(&Status::new(code, "no")).is_retryable(), "{code:?}");
    }
    let lost = Status::data_loss("gone");
    assert!(matches!(to_append_error(&lost), AppendError::Corrupted(_)));
    assert!(matches!(to_read_error(&lost), ReadError::Corrupted(_)));
}

#[test]
fn a_detail_that_makes_no_sense_is_passed_over() {
    for details in [vec![0xff; 40], of_read_error(&ReadError::from_start()).details().to_vec()] {
        let status = Status::with_details(Code::InvalidArgument, "no", details.into());
        let refused = InvalidAppend::Refused { reason: "no".into() };
        assert_eq!(to_append_error(&status), refused.into());
    }
}

trait FromStart {
    fn from_start() -> Self;
}
impl FromStart for ReadError {
    fn from_start() -> Self {
        Self::BelowStart { requested: Sequence::FIRST, first: Sequence::new(2) }
    }
}

#[test]
fn a_limit_of_another_release_arrives_as_text() {
    let status =
        of_append_error(&AppendError::Invalid(InvalidAppend::TooMany { what: "wishes", actual: 4, max: 3 }));
    let error = to_append_error(&status);
    assert_eq!(error.to_string(), "bad input: wishes is 4; at most 3 is allowed");
}

#[test]
fn a_long_message_is_cut_and_the_detail_is_not() {
    let error = AppendError::Unavailable { reason: "x".repeat(5_000) };
    let status = of_append_error(&error);
    assert_eq!(status.message().len(), 1_000);
    assert_eq!(to_append_error(&status), error);
}
