//! What the server answers by itself, instead of the routes: in problem+json, and in gRPC to who speaks gRPC.

use crate::problem::Problem;
use axum::{
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{fmt, time::Duration};

/// Why the server answers instead of the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The body is larger than it may be.
    TooLarge { bytes_max: u32 },
    /// The body came too slowly.
    SlowBody,
    /// Too much waits for its turn already.
    Crowded,
    /// There was no answer in time.
    TooSlow { time_max: Duration, again: Again },
}

/// Whether a request that was given up may be made again: what was under way for it may have been done all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Twice is as good as once.
    AsItIs,
    /// Only if it says itself which one it is: else it is another one.
    ByItsId,
}

impl Again {
    pub(crate) fn of(method: &Method) -> Self {
        if method.is_idempotent() { Self::AsItIs } else { Self::ByItsId }
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsItIs => "repeat the request",
            Self::ByItsId => "it may have been done all the same, so repeat it only if it names its own id",
        })
    }
}

/// The answer to a request that is given up.
pub(crate) fn given_up(detail: impl fmt::Display, again: Again) -> Response {
    let mut answer = Problem::unavailable(detail).into_response();
    if again == Again::ByItsId {
        // There are clients that repeat by themselves whatever says when.
        answer.headers_mut().remove(header::RETRY_AFTER);
    }
    answer
}

/// gRPC: the same request will be refused again.
const OUT_OF_RANGE: &str = "11";
/// gRPC: try again.
const UNAVAILABLE: &str = "14";

impl Refusal {
    /// The answer to a request of gRPC, or of HTTP alone.
    pub(crate) fn answer(self, is_grpc: bool) -> Response {
        if is_grpc { self.grpc() } else { self.plain() }
    }

    fn plain(self) -> Response {
        let problem = match self {
            Self::TooLarge { .. } => Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, self),
            Self::SlowBody => Problem::of_status(StatusCode::REQUEST_TIMEOUT, self),
            Self::Crowded => Problem::unavailable(self),
            Self::TooSlow { again, .. } => return given_up(self, again),
        };
        problem.into_response()
    }

    /// An answer that is its own end: the status stands in the headers.
    fn grpc(self) -> Response {
        let code = if matches!(self, Self::TooLarge { .. }) { OUT_OF_RANGE } else { UNAVAILABLE };
        let headers = [(header::CONTENT_TYPE, "application/grpc")];
        let mut answer = (headers, ()).into_response();
        answer.headers_mut().insert("grpc-status", HeaderValue::from_static(code));
        // Plain ASCII without `%`, which would have to be encoded.
        if let Ok(message) = HeaderValue::try_from(self.to_string()) {
            answer.headers_mut().insert("grpc-message", message);
        }
        answer
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes_max } => {
                write!(f, "the body is too large; at most {bytes_max} bytes are allowed")
            }
            Self::SlowBody => f.write_str("the body came too slowly; send it again, all at once"),
            Self::Crowded => f.write_str(
                "too much is being sent to the server at once; repeat the request, or send less at a time",
            ),
            Self::TooSlow { time_max, again } => {
                write!(f, "no answer within {} ms; {again}", time_max.as_millis())
            }
        }
    }
}
