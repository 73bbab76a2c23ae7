//! Errors on the wire: a gRPC status for everybody, and beside it the typed detail for who knows it.
//!
//! The detail stands in a `google.rpc.Status` in the trailer `grpc-status-details-bin`, where gRPC's own tools
//! look for it. A status without one (from a proxy, from the transport, from another release) is taken by its
//! code: what cannot succeed unchanged is bad input, all else is unavailable.

use crate::{
    InvalidMessage,
    append::expected_version,
    event::id_bytes,
    invalid::{exactly, named},
    v1,
};
use annals_event::{
    Conflict, EventId, InvalidAppend, LogId, MarkName, Opening, RequestId, Sequence, StreamName, Timestamp,
    Version,
};
use annals_store::{AppendError, Damage, ReadError};
use prost::Message;
use prost_types::Any;
use std::time::Duration;
use tonic::{Code, Status};
use v1::error_detail::Kind;
use v1::invalid_append::{Kind as InvalidKind, OverLimit};

const DETAIL_TYPE_URL: &str = "type.googleapis.com/annals.v1.ErrorDetail";

/// The status that says `error`.
pub fn of_append_error(error: &AppendError) -> Status {
    let (code, kind) = match error {
        AppendError::Conflict(conflict) => (Code::Aborted, conflict_detail(conflict)),
        AppendError::Invalid(invalid) => {
            (Code::InvalidArgument, Kind::InvalidAppend(invalid_detail(invalid)))
        }
        AppendError::RequestIdReused { request_id } => {
            let request_id = id_bytes(request_id.as_bytes());
            (Code::AlreadyExists, Kind::RequestIdReused(v1::RequestIdReused { request_id }))
        }
        AppendError::RequestUnjudged { request_id, judged_after } => {
            let (request_id, judged_after_us) = (id_bytes(request_id.as_bytes()), judged_after.as_micros());
            let detail = v1::RequestUnjudged { request_id, judged_after_us };
            (Code::FailedPrecondition, Kind::RequestUnjudged(detail))
        }
        AppendError::RequestAhead { request_id, ahead } => {
            let ahead_us = u64::try_from(ahead.as_micros()).unwrap_or(u64::MAX);
            let detail = v1::RequestAhead { request_id: id_bytes(request_id.as_bytes()), ahead_us };
            (Code::FailedPrecondition, Kind::RequestAhead(detail))
        }
        AppendError::EventIdReused { event_id } => {
            let event_id = id_bytes(event_id.as_bytes());
            (Code::AlreadyExists, Kind::EventIdReused(v1::EventIdReused { event_id }))
        }
        AppendError::OriginalDropped { request_id } => {
            let request_id = id_bytes(request_id.as_bytes());
            (Code::AlreadyExists, Kind::OriginalDropped(v1::OriginalDropped { request_id }))
        }
        AppendError::Unavailable { reason } => (Code::Unavailable, unavailable_detail(reason)),
        AppendError::OtherLog { wanted, found } => {
            (Code::FailedPrecondition, other_log_detail(*wanted, *found))
        }
        AppendError::Corrupted(damage) => (Code::DataLoss, damage_detail(damage)),
        later => (Code::Unavailable, unavailable_detail(&later.to_string())),
    };
    status(code, error, kind)
}

/// The status that says `error`.
pub fn of_read_error(error: &ReadError) -> Status {
    let (code, kind) = match error {
        ReadError::BelowStart { requested, first } => {
            let (requested, first) = (requested.get(), first.get());
            (Code::OutOfRange, Kind::BelowStart(v1::BelowStart { requested, first }))
        }
        ReadError::Invalid { reason } => {
            (Code::InvalidArgument, Kind::InvalidRequest(v1::InvalidRequest { reason: reason.clone() }))
        }
        ReadError::Unavailable { reason } => (Code::Unavailable, unavailable_detail(reason)),
        ReadError::OtherLog { wanted, found } => {
            (Code::FailedPrecondition, other_log_detail(*wanted, *found))
        }
        ReadError::Corrupted(damage) => (Code::DataLoss, damage_detail(damage)),
        later => (Code::Unavailable, unavailable_detail(&later.to_string())),
    };
    status(code, error, kind)
}

/// The error that `status` says.
pub fn to_append_error(status: &Status) -> AppendError {
    let detailed = detail(status).and_then(|kind| append_error(kind).ok().flatten());
    detailed.unwrap_or_else(|| match status.code() {
        Code::DataLoss => AppendError::Corrupted(undetailed_damage(status)),
        code if is_bad_input(code) => InvalidAppend::Refused { reason: described(status) }.into(),
        _ => AppendError::Unavailable { reason: described(status) },
    })
}

/// The error that `status` says.
pub fn to_read_error(status: &Status) -> ReadError {
    detail(status).and_then(read_error).unwrap_or_else(|| match status.code() {
        Code::DataLoss => ReadError::Corrupted(undetailed_damage(status)),
        code if is_bad_input(code) => ReadError::Invalid { reason: described(status) },
        _ => ReadError::Unavailable { reason: described(status) },
    })
}

/// The longest gRPC message: it travels in a header, and headers have limits. The detail is what counts.
const MESSAGE_CHARS_MAX: usize = 1_000;

fn status(code: Code, error: &impl ToString, kind: Kind) -> Status {
    let message: String = error.to_string().chars().take(MESSAGE_CHARS_MAX).collect();
    let value = v1::ErrorDetail { kind: Some(kind) }.encode_to_vec();
    let any = Any { type_url: DETAIL_TYPE_URL.into(), value };
    let details = tonic_types::Status { code: code.into(), message: message.clone(), details: vec![any] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

fn detail(status: &Status) -> Option<Kind> {
    let details = tonic_types::Status::decode(status.details()).ok()?.details;
    let any = details.into_iter().find(|any| any.type_url == DETAIL_TYPE_URL)?;
    v1::ErrorDetail::decode(any.value.as_slice()).ok()?.kind
}

/// Codes of errors that stay when the same is sent again. Too large a message is `OUT_OF_RANGE` in tonic and
/// `RESOURCE_EXHAUSTED` elsewhere; the latter also stands for too much at once, so it may be tried again.
fn is_bad_input(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::OutOfRange
            | Code::Aborted
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Unimplemented
            | Code::NotFound
            | Code::PermissionDenied
            | Code::Unauthenticated
    )
}

/// tonic hides the cause of a broken connection in the chain of sources.
fn described(status: &Status) -> String {
    let mut text = match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    };
    let mut source = std::error::Error::source(status);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn undetailed_damage(status: &Status) -> Damage {
    Damage { place: "event store".into(), offset: None, reason: described(status) }
}

fn unavailable_detail(reason: &str) -> Kind {
    Kind::Unavailable(v1::Unavailable { reason: reason.to_owned() })
}

fn other_log_detail(wanted: LogId, found: LogId) -> Kind {
    let (wanted, found) = (id_bytes(wanted.as_bytes()), id_bytes(found.as_bytes()));
    Kind::OtherLog(v1::OtherLog { wanted, found })
}

fn other_log(detail: &v1::OtherLog) -> Result<(LogId, LogId), InvalidMessage> {
    let wanted = exactly("OtherLog.wanted", &detail.wanted)?;
    Ok((LogId::from_bytes(wanted), LogId::from_bytes(exactly("OtherLog.found", &detail.found)?)))
}

fn damage_detail(damage: &Damage) -> Kind {
    let Damage { place, offset, reason } = damage.clone();
    Kind::Damage(v1::Damage { place, offset, reason })
}

fn conflict_detail(conflict: &Conflict) -> Kind {
    match conflict {
        Conflict::Stream { stream, expected, actual } => Kind::StreamConflict(v1::StreamConflict {
            stream: stream.as_str().to_owned(),
            expected: Some((*expected).into()),
            actual: actual.get(),
        }),
        Conflict::Mark { mark, expected, actual } => Kind::MarkConflict(v1::MarkConflict {
            mark: mark.as_str().to_owned(),
            expected: expected.map(Sequence::get),
            actual: actual.map(Sequence::get),
        }),
        Conflict::Opening { expected, actual } => Kind::OpeningConflict(v1::OpeningConflict {
            expected: id_bytes(expected.as_bytes()),
            actual: id_bytes(actual.as_bytes()),
        }),
    }
}

fn invalid_detail(invalid: &InvalidAppend) -> v1::InvalidAppend {
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let kind = match invalid {
        InvalidAppend::Empty => InvalidKind::Empty(true),
        InvalidAppend::EmptyWrite(stream) => InvalidKind::EmptyWrite(stream.as_str().to_owned()),
        InvalidAppend::RepeatedStream(stream) => InvalidKind::RepeatedStream(stream.as_str().to_owned()),
        InvalidAppend::RepeatedMark(mark) => InvalidKind::RepeatedMark(mark.as_str().to_owned()),
        InvalidAppend::RepeatedEventId(id) => InvalidKind::RepeatedEventId(id_bytes(id.as_bytes())),
        InvalidAppend::SchemaVersionZero(id) => InvalidKind::SchemaVersionZero(id_bytes(id.as_bytes())),
        InvalidAppend::TooMany { what, actual, max } => InvalidKind::TooMany(OverLimit {
            what: (*what).to_owned(),
            actual: number(*actual),
            max: number(*max),
        }),
        InvalidAppend::TooLarge { what, bytes, bytes_max } => InvalidKind::TooLarge(OverLimit {
            what: (*what).to_owned(),
            actual: number(*bytes),
            max: number(*bytes_max),
        }),
        other => InvalidKind::Refused(other.to_string()),
    };
    v1::InvalidAppend { kind: Some(kind) }
}

/// `None` for a detail that is not about appends: the status code decides then.
fn append_error(kind: Kind) -> Result<Option<AppendError>, InvalidMessage> {
    Ok(Some(match kind {
        Kind::StreamConflict(conflict) => AppendError::Conflict(Conflict::Stream {
            stream: named("StreamConflict.stream", StreamName::new(conflict.stream))?,
            expected: expected_version("StreamConflict.expected", conflict.expected)?,
            actual: Version::new(conflict.actual),
        }),
        Kind::MarkConflict(conflict) => AppendError::Conflict(Conflict::Mark {
            mark: named("MarkConflict.mark", MarkName::new(conflict.mark))?,
            expected: conflict.expected.map(Sequence::new),
            actual: conflict.actual.map(Sequence::new),
        }),
        Kind::OpeningConflict(conflict) => AppendError::Conflict(Conflict::Opening {
            expected: Opening::from_bytes(exactly("OpeningConflict.expected", &conflict.expected)?),
            actual: Opening::from_bytes(exactly("OpeningConflict.actual", &conflict.actual)?),
        }),
        Kind::InvalidAppend(v1::InvalidAppend { kind: Some(kind) }) => invalid_append(kind)?.into(),
        Kind::RequestIdReused(reused) => AppendError::RequestIdReused {
            request_id: RequestId::from_bytes(exactly("RequestIdReused.request_id", &reused.request_id)?),
        },
        Kind::RequestUnjudged(v1::RequestUnjudged { request_id, judged_after_us }) => {
            AppendError::RequestUnjudged {
                request_id: RequestId::from_bytes(exactly("RequestUnjudged.request_id", &request_id)?),
                judged_after: Timestamp::from_micros(judged_after_us),
            }
        }
        Kind::RequestAhead(v1::RequestAhead { request_id, ahead_us }) => AppendError::RequestAhead {
            request_id: RequestId::from_bytes(exactly("RequestAhead.request_id", &request_id)?),
            ahead: Duration::from_micros(ahead_us),
        },
        Kind::EventIdReused(reused) => AppendError::EventIdReused {
            event_id: EventId::from_bytes(exactly("EventIdReused.event_id", &reused.event_id)?),
        },
        Kind::OriginalDropped(dropped) => AppendError::OriginalDropped {
            request_id: RequestId::from_bytes(exactly("OriginalDropped.request_id", &dropped.request_id)?),
        },
        Kind::Unavailable(v1::Unavailable { reason }) => AppendError::Unavailable { reason },
        Kind::OtherLog(detail) => {
            let (wanted, found) = other_log(&detail)?;
            AppendError::OtherLog { wanted, found }
        }
        Kind::Damage(damage) => AppendError::Corrupted(damage_of(damage)),
        Kind::InvalidRequest(v1::InvalidRequest { reason }) => InvalidAppend::Refused { reason }.into(),
        Kind::InvalidAppend(_) | Kind::BelowStart(_) => return Ok(None),
    }))
}

fn invalid_append(kind: InvalidKind) -> Result<InvalidAppend, InvalidMessage> {
    let stream = |name| named("InvalidAppend.stream", StreamName::new(name));
    Ok(match kind {
        InvalidKind::Empty(_) => InvalidAppend::Empty,
        InvalidKind::EmptyWrite(name) => InvalidAppend::EmptyWrite(stream(name)?),
        InvalidKind::RepeatedStream(name) => InvalidAppend::RepeatedStream(stream(name)?),
        InvalidKind::RepeatedMark(name) => {
            InvalidAppend::RepeatedMark(named("InvalidAppend.repeated_mark", MarkName::new(name))?)
        }
        InvalidKind::RepeatedEventId(id) => {
            InvalidAppend::RepeatedEventId(event_id("InvalidAppend.repeated_event_id", &id)?)
        }
        InvalidKind::SchemaVersionZero(id) => {
            InvalidAppend::SchemaVersionZero(event_id("InvalidAppend.schema_version_zero", &id)?)
        }
        InvalidKind::TooMany(over) => {
            over_limit(over, |what, actual, max| InvalidAppend::TooMany { what, actual, max })
        }
        InvalidKind::TooLarge(over) => {
            over_limit(over, |what, bytes, bytes_max| InvalidAppend::TooLarge { what, bytes, bytes_max })
        }
        InvalidKind::Refused(reason) => InvalidAppend::Refused { reason },
    })
}

fn event_id(field: &'static str, bytes: &[u8]) -> Result<EventId, InvalidMessage> {
    exactly(field, bytes).map(EventId::from_bytes)
}

/// What `Append::validate` counts. A word of another release becomes a refusal in text.
const COUNTED: [&str; 7] =
    ["events", "streams", "marks", "tags on one event", "payload", "metadata", "append"];

fn over_limit(over: OverLimit, typed: fn(&'static str, usize, usize) -> InvalidAppend) -> InvalidAppend {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    match COUNTED.into_iter().find(|known| *known == over.what) {
        Some(what) => typed(what, number(over.actual), number(over.max)),
        None => InvalidAppend::Refused {
            reason: format!("{} is {}; at most {} is allowed", over.what, over.actual, over.max),
        },
    }
}

fn read_error(kind: Kind) -> Option<ReadError> {
    Some(match kind {
        Kind::BelowStart(v1::BelowStart { requested, first }) => {
            ReadError::BelowStart { requested: Sequence::new(requested), first: Sequence::new(first) }
        }
        Kind::InvalidRequest(v1::InvalidRequest { reason }) => ReadError::Invalid { reason },
        Kind::Unavailable(v1::Unavailable { reason }) => ReadError::Unavailable { reason },
        Kind::OtherLog(detail) => {
            let (wanted, found) = other_log(&detail).ok()?;
            ReadError::OtherLog { wanted, found }
        }
        Kind::Damage(damage) => ReadError::Corrupted(damage_of(damage)),
        _ => return None,
    })
}

fn damage_of(damage: v1::Damage) -> Damage {
    let v1::Damage { place, offset, reason } = damage;
    Damage { place, offset, reason }
}
