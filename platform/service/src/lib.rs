//! What every service does beside its domain: its configuration, HTTP servers with limits, what their answers have
//! in common, and an end in order. How to write a service is told by the guide of the crate `annals`,
//! `annals::guide`.
//!
//! What always holds:
//!
//! * Every limit of a server is an [`HttpLimits`] and is kept here, for HTTP/1, HTTP/2 and gRPC: how many connections and requests,
//!   how long headers, bodies, requests and answers take, and how many bytes of bodies are held over all connections.
//! * A body is read only after the whole of it was reserved. What callers may send ahead of that is bounded for all
//!   connections together.
//! * Whoever sends nothing, too little or too slowly, or takes no answer, is let go in bounded time and disturbs nobody.
//! * Every refusal of plain HTTP is a [`Problem`], also those of axum's own extractors; a struct in a [`Body`] is an object.
//! * A refusal of a body, a query or a path names the field, what it must be and what was found, and no type of the program.
//! * A program that is told to stop ends in bounded time ([`Ending`]): it drains, then it has twice `http.shutdown`, or
//!   [`STOP_TIME_MAX`] where nothing is configured.
//! * A service is configured by one file, the environment and flags, and a key that nobody takes is an error ([`config`]). So is
//!   every other program that serves: it names its own keys ([`config::Keys`]) and begins with [`program`].
//! * A service answers its health from the moment that it has its address; all else once all of it is there.
//! * What a service counts is the same for whoever asks at `/metrics` and for a collector.
//! * Shutting down takes no more connections, then ends what is [`LongLived`], then waits for the answers under way.

#[cfg(feature = "kit")]
pub mod admin;
mod answered;
mod body;
mod budget;
pub mod config;
mod connection;
mod ending;
mod exchange;
mod exit;
mod extract;
mod finish;
#[cfg(feature = "log")]
mod folder;
#[cfg(feature = "log")]
pub mod health;
#[cfg(feature = "kit")]
mod kit;
mod limits;
#[cfg(feature = "log")]
pub mod metrics;
mod patience;
mod problem;
mod program;
mod refusal;
mod rejection;
mod sentence;
mod server;
#[cfg(feature = "log")]
pub mod store;
mod strict;
mod text;
mod words;

pub use answered::Answered;
pub use config::{Config, ConfigError, Secret};
pub use ending::{Ending, STOP_TIME_MAX};
pub use exchange::{LongLived, Unhurried};
pub use exit::Exit;
pub use extract::{Body, Params, Segment};
pub use finish::finish;
#[cfg(feature = "log")]
pub use folder::{DataFolder, FolderError};
#[cfg(feature = "kit")]
pub use kit::{
    Accepted, Answer, App, BuildError, CORRELATION_ID, Caller, Failure, IDEMPOTENCY_KEY, PartState, Parts,
    Running, Service, ServiceError, Supervisor, TENANT, TOKEN, TestService, WAIT_TIME_MAX, WaitFor,
};
pub use limits::HttpLimits;
pub use problem::Problem;
pub use program::{ProgramError, Task, program};
pub use sentence::{counted, listen_address, sentence};
pub use server::{BindError, HttpServer};
