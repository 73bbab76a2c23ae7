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

/// What an event is: ids, names, positions, the envelope.
pub mod event {
    pub use annals_event::{
        Append, Category, CodecError, Conflict, ContentType, CorrelationId, DecodeError, Event, EventBatch,
        EventBatchBuilder, EventId, EventRef, EventType, ExpectedVersion, Fingerprint, InvalidAppend,
        InvalidName, InvalidTime, InvalidToken, InvalidTraceParent, LogId, MarkName, MarkUpdate, Metadata,
        NewEvent, Opening, Receipt, Recorded, RecordedEvent, RequestId, Requirement, Sequence, SequenceRange,
        StreamName, StreamWrite, Tag, TimeOutOfReach, Timestamp, Token, TraceContext, Version, decode, json,
        limits,
    };
}

/// The one interface between services and the log.
pub mod store {
    pub use annals_store::{
        Activity, AppendError, Capabilities, ConsumerBoard, ConsumerState, ConsumerWatch, Damage, Delivery,
        Direction, EventStore, Filter, GappedStore, Head, LOG_POLL, LogMismatch, LogPage, PROBE_TIME_MAX,
        ReadError, ReadLog, ReadStream, SeenLog, StreamPage, Subscribe, Subscription, causes, chain_at,
        chain_in, check_same_log, probe,
    };
}

/// Decisions: aggregates, the repository that executes commands on them, snapshots.
pub mod aggregate {
    pub use annals_aggregate::{
        Aggregate, Cause, Emitted, ExecuteError, Executed, FoldError, FolderSnapshots, LoadError, Loaded,
        Repositories, Repository, Snapshot, SnapshotError, SnapshotSchema, SnapshotStore, encode, stream_of,
        testing,
    };
}

/// Decisions over several streams, each one append.
pub mod decision {
    pub use annals_aggregate::decision::{
        DecideError, Decided, Decisions, Draft, Reads, Seen, Subjects, Writes, reads, writes,
    };
}

/// Reactions: events in, commands for a service's own aggregates out, exactly once.
pub mod reactor {
    pub use annals_reactor::{
        OnRefused, Options, Reaction, Reactor, ReactorBuilder, ReactorError, ReactorHandle, ReactorWorker,
        Start, WaitError, testing,
    };
}

/// The parts that read models are made of.
pub mod projection {
    pub use annals_projection::{
        ApplyError, Catalog, Cells, Column, ColumnKind, ColumnType, Columns, Completeness, Cursor,
        DatabaseError, Difference, EventError, Fold, FoldControl, FoldError, FoldOutcome, FoldStopped,
        FoldVersion, GenerationEntry, GenerationError, GenerationId, GenerationState, GenerationStatus,
        Generations, Inspection, InvalidCursor, InvalidIdentifier, KeyColumn, Lease, Live, Lookup,
        ModelError, ModelName, OnError, Origin, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, Page, Parameter,
        Parameters, PassedOver, Plan, PlannedSnapshot, Projector, ProjectorError, ProjectorHandle,
        ProjectorOptions, Promotion, QUERY_KEYS_MAX, QUERY_ROWS_MAX, QueryError, ReadModel, ReadModelBuilder,
        Reader, ReaderError, Readers, Rollback, RowSample, SEQUENCE_COLUMN, SchemaHash, Select,
        SnapshotError, SnapshotFolder, SnapshotManifest, SnapshotName, SnapshotPolicy, SqlProjection,
        SqlTable, SqlTransaction, Table, TableError, TableKey, TableProjection, TableSchema, Tally, Until,
        Value, ValueError, WaitError, cell, testing,
    };
}

/// Read models: tables folded from events, and questions to them.
pub mod read_model {
    pub use annals_projection::{
        ApplyError, Catalog, ColumnKind, ColumnType, Cursor, Fold, KeyColumn, Lookup, ModelError, OnError,
        Page, Projector, ProjectorHandle, ProjectorOptions, QueryError, ReadModel, Reader, ReaderError,
        Select, SnapshotPolicy, SqlProjection, SqlTable, Table, TableProjection, Value, ValueError,
    };
}

/// Replays: a read model rebuilt from any sequence number while it is queried.
pub mod replay {
    pub use annals_replay::{
        Failure, Phase, Progress, Replay, ReplayCommand, ReplayError, ReplayEvent, ReplayId, ReplayMode,
        ReplayRefused, ReplayRequest, ReplayStatus, ReplayWorker, Replays, Waiting, WorkerError,
        WorkerOptions,
    };
}

/// What a service does beside its domain: HTTP servers with limits, and what their answers have in common.
pub mod service {
    pub use annals_service::{
        Accepted, Answer, App, BindError, Body, BuildError, Caller, Config, ConfigError, Ending, Exit,
        HttpLimits, HttpServer, LongLived, Params, Problem, Running, Secret, Segment, Service, ServiceError,
        TestService, Unhurried, WaitFor, admin, counted, finish, listen_address, sentence,
    };
}

/// The embedded log as an event store: the default.
pub mod store_log {
    pub use annals_store_log::{CloseError, Log, LogStore, OpenError, Options, Stats};
}

/// OpenTelemetry: set-up, trace contexts, spans.
pub mod telemetry {
    pub use annals_telemetry::{
        BatchCounts, InitError, Options, Run, ShutdownError, Telemetry, Traced, append_span, batch_span,
        client_span, context_of, create_span, current_context, extract, from_span_context, init, inject,
        inject_current, names, process_span, record_batch, record_status, rpc_client_span, rpc_server_span,
        server_span, to_span_context,
    };
}

/// Tests of a service's parts: given events, when a command comes, then other events, rows or commands. All of it goes through
/// the stored form; a whole service is tested with [`TestService`](service::TestService).
pub mod testing {
    pub use annals_aggregate::testing::{given, given_subjects, golden};
    pub use annals_projection::testing::{given_model, given_rows};
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
