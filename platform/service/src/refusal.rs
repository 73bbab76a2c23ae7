//! What the server answers by itself, instead of the routes: in problem+json, and in gRPC to who speaks gRPC.

use crate::problem::Problem;
use axum::{
    http::{HeaderValue, StatusCode, header},
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
    TooSlow { time_max: Duration },
}

/// gRPC: the same request will be refused again.
const OUT_OF_RANGE: &str = "11";
/// gRPC: try again.
const UNAVAILABLE: &str = "14";

impl Refusal {
    /// The answer to a request of gRPC, or of HTTP alone.
    pub(crate) fn answer(self, is_grpc: bool) -> Response {
        if is_grpc { self.grpc() } else { self.problem().into_response() }
    }

    fn problem(self) -> Problem {
        match self {
            Self::TooLarge { .. } => Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, self),
            Self::SlowBody => Problem::of_status(StatusCode::REQUEST_TIMEOUT, self),
            Self::Crowded | Self::TooSlow { .. } => Problem::unavailable(self),
        }
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
            Self::TooSlow { time_max } => {
                write!(f, "no answer within {} ms; repeat the request", time_max.as_millis())
            }
        }
    }
}
