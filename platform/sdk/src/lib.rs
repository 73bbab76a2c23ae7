//! Annals: event sourcing for Rust microservices.
//!
//! Services append events to one shared, durable log; read models are folded from it and can be rebuilt from any
//! sequence number while they are queried. This crate is what a service depends on: it gathers the platform's parts
//! under one name and adds nothing of its own. The [guide] has how-tos, from a first service to a replay.
//!
//! ```
//! use annals::{prelude::*, testing::given};
//!
//! #[derive(Debug, PartialEq, Event)]
//! #[event(type = "counter.raised", version = 1)]
//! struct Raised {
//!     by: u32,
//! }
//!
//! #[derive(Clone, Debug, Default, PartialEq)]
//! struct Counter {
//!     value: u32,
//! }
//!
//! #[derive(Debug, PartialEq)]
//! struct Overflow;
//! # impl std::fmt::Display for Overflow {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("overflow") }
//! # }
//! # impl std::error::Error for Overflow {}
//!
//! impl Aggregate for Counter {
//!     const CATEGORY: &'static str = "counter";
//!     type Event = Raised;
//!     type Command = u32;
//!     type Error = Overflow;
//!
//!     fn decide(&self, by: u32) -> Result<Vec<Raised>, Overflow> {
//!         self.value.checked_add(by).ok_or(Overflow)?;
//!         Ok(vec![Raised { by }])
//!     }
//!     fn evolve(&mut self, event: &Raised) {
//!         self.value += event.by;
//!     }
//! }
//!
//! given::<Counter>([Raised { by: 1 }]).when(2).then([Raised { by: 2 }]);
//! given::<Counter>([Raised { by: u32::MAX }]).when(1).then_error(Overflow);
//! ```

pub use annals_derive::{Event, Table};

/// What an event is: its names, its positions, what is known of it beside the fact, and how it is appended by hand.
pub mod event {
    pub use annals_event::{
        Append, Category, CodecError, Conflict, CorrelationId, Event, EventId, EventType, ExpectedVersion,
        InvalidName, Metadata, NewEvent, Receipt, Recorded, RequestId, Sequence, StreamName, Tag, Timestamp,
        Token, Version, json,
    };
}

/// The one interface between services and the log, and its adapters.
pub mod store {
    pub use annals_store::{
        AppendError, Delivery, EventStore, Filter, Head, LogPage, ReadError, ReadLog, ReadStream, StreamPage,
        Subscribe, Subscription, causes,
    };
    pub use annals_store_grpc::{GrpcStore, Options as GrpcOptions};
    pub use annals_store_log::{LogStore, OpenError, Options as LogOptions};
}

/// Decisions: aggregates, and the repository that executes commands on them.
pub mod aggregate {
    pub use annals_aggregate::{
        Aggregate, Cause, ExecuteError, Executed, LoadError, Loaded, Repository, SnapshotStore,
    };
}

/// Decisions over several streams, each one append.
pub mod decision {
    pub use annals_aggregate::decision::{DecideError, Decided, Draft, Seen, reads, writes};
}

/// Read models: tables folded from events, and questions to them.
pub mod read_model {
    pub use annals_projection::{
        ApplyError, Catalog, ColumnKind, ColumnType, Cursor, Fold, KeyColumn, Lookup, ModelError, Page,
        Projector, ProjectorHandle, ProjectorOptions, QueryError, ReadModel, Reader, ReaderError, Select,
        SnapshotPolicy, SqlProjection, SqlTable, Table, TableProjection, Value, ValueError,
    };
}

/// Read models in SQLite: catalogs in folders, and SQL projections.
pub mod sqlite {
    pub use annals_projection_sqlite::{SqlError, Sqlite, connection, open, open_with};
}

/// Read models in PostgreSQL: catalogs in databases, and SQL projections.
#[cfg(feature = "postgres")]
pub mod postgres {
    pub use annals_projection_postgres::{Listen, Postgres, PostgresOptions, SqlError, connection, open};
}

/// Reactions: events in, commands for a service's own aggregates out, exactly once.
pub mod reactor {
    pub use annals_reactor::{OnRefused, Reaction, Reactor, ReactorError, Start};
}

/// Replays: a read model rebuilt from any sequence number while it is queried.
pub mod replay {
    pub use annals_projection::{Difference, Plan};
    pub use annals_replay::{
        Failure, Phase, ReplayError, ReplayId, ReplayMode, ReplayRequest, ReplayStatus, Replays,
    };
}

/// A whole service: what it is made of, what its handlers have, how it is configured and tested.
pub mod service {
    pub use annals_service::health::Probe;
    pub use annals_service::{
        Accepted, Answer, App, Body, BuildError, Caller, Config, ConfigError, Problem, Running, Secret,
        Service, ServiceError, TestService, WaitFor,
    };
}

/// Tests of a service's parts: given events, when a command comes, then other events, rows or commands. All of it goes through
/// the stored form; a whole service is tested with [`TestService`](service::TestService).
pub mod testing {
    pub use annals_aggregate::testing::{given, given_subjects, golden};
    pub use annals_projection_sqlite::testing::{given_model, given_rows};
    pub use annals_reactor::testing::given_reactor;
}

/// What nearly every service needs.
pub mod prelude {
    pub use crate::aggregate::{Aggregate, Cause};
    pub use crate::event::{Event, Recorded, Sequence, Timestamp};
    pub use crate::reactor::{Reaction, Reactor, Start};
    pub use crate::read_model::{ApplyError, Fold, ReadModel, Table};
    pub use crate::service::{Accepted, App, Caller, Problem, Service, WaitFor};
    // The derives have the same names as the traits.
    pub use annals_derive::{Event, Table};
}

#[doc = include_str!("../guide/links.md")]
#[doc = include_str!("../guide/index.md")]
pub mod guide {
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/first_service.md")]
    pub mod first_service {}
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/read_model.md")]
    pub mod read_model {}
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/testing.md")]
    pub mod testing {}
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/decision.md")]
    pub mod decision {}
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/reactor.md")]
    pub mod reactor {}
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/replay.md")]
    pub mod replay {}
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/event_versions.md")]
    pub mod event_versions {}
    #[doc = include_str!("../guide/links.md")]
    #[doc = include_str!("../guide/configuration.md")]
    pub mod configuration {}
}

/// What generated code uses. Not part of the API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use annals_event::__private::*;
    pub use annals_projection::__private::*;
}

/// A derive that is used wrongly does not compile. The error messages are tested in the derives' own crate.
///
/// ```
/// #[derive(annals::Event)]
/// #[event(type = "order.placed", version = 2)]
/// #[upcast(1, rename(order = order_id))]
/// struct Placed {
///     order_id: String,
/// }
/// #[derive(annals::Event)]
/// enum OrderEvent {
///     Placed(Placed),
/// }
/// #[derive(Clone, PartialEq, annals::Table)]
/// #[table(name = "sales")]
/// struct Sales {
///     #[table(key)]
///     day: String,
/// }
/// ```
/// ```compile_fail
/// #[derive(annals::Event)]
/// #[event(type = "order.placed", version = 2)]
/// struct Placed {
///     order_id: String,
/// }
/// ```
/// ```compile_fail
/// #[derive(annals::Event)]
/// #[event(type = "order.placed", version = 1)]
/// struct Placed;
/// #[derive(annals::Event)]
/// #[event(type = "order.placed", version = 1)]
/// struct PlacedAgain;
/// #[derive(annals::Event)]
/// enum OrderEvent {
///     Placed(Placed),
///     Again(PlacedAgain),
/// }
/// ```
/// ```compile_fail
/// #[derive(Clone, PartialEq, annals::Table)]
/// #[table(name = "sales")]
/// struct Sales {
///     #[table(key)]
///     day: Option<String>,
/// }
/// ```
#[cfg(doctest)]
struct Derives;

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadMe;
