//! How a transaction begins: with everything that holds for it, in one message.

use annals_projection::backend::quoted;
use std::time::Duration;

/// How long a lock is waited for.
const LOCK_MAX: Duration = Duration::from_secs(2);
/// How long a lock is waited for that keeps readers waiting behind it.
const EXCLUSIVE_LOCK_MAX: Duration = Duration::from_millis(100);
/// How long one statement may take.
const STATEMENT_MAX: Duration = Duration::from_secs(60);
/// How long one statement may take that makes an index or writes much.
const LONG_STATEMENT_MAX: Duration = Duration::from_secs(3_600);
/// How long a session may stand idle within a transaction that only reads, or that makes a generation.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// What holds for a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Begin {
    mode: &'static str,
    lock_max: Duration,
    statement_max: Duration,
    idle_max: Duration,
    durability: &'static str,
    schema: Option<String>,
}

/// A fold's commit does not wait for the disk.
const LAZY: &str = "SET LOCAL synchronous_commit = off";
/// Unless somebody has asked for more, `on` is enough; `off` is not.
const DURABLE: &str =
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

impl Begin {
    /// A transaction that writes, durably.
    pub(crate) fn durable() -> Self {
        Self {
            mode: "ISOLATION LEVEL READ COMMITTED READ WRITE",
            lock_max: LOCK_MAX,
            statement_max: STATEMENT_MAX,
            idle_max: IDLE_MAX,
            durability: DURABLE,
            schema: None,
        }
    }

    /// A transaction of a fold.
    pub(crate) fn fold() -> Self {
        Self { durability: LAZY, ..Self::durable() }
    }

    /// A transaction that reads one snapshot.
    pub(crate) fn view() -> Self {
        Self { mode: "ISOLATION LEVEL REPEATABLE READ READ ONLY", durability: LAZY, ..Self::durable() }
    }

    /// Its statements may take long.
    pub(crate) fn long(self) -> Self {
        Self { statement_max: LONG_STATEMENT_MAX, ..self }
    }

    /// Nobody waits behind its locks for long.
    pub(crate) fn exclusive(self) -> Self {
        Self { lock_max: EXCLUSIVE_LOCK_MAX, ..self }
    }

    /// How long its session may stand idle.
    pub(crate) fn idle(self, max: Duration) -> Self {
        Self { idle_max: max, ..self }
    }

    /// Plain names are names of this schema's tables.
    pub(crate) fn within(self, schema: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), ..self }
    }

    /// Whether it only reads.
    pub(super) fn only_reads(&self) -> bool {
        self.mode.ends_with("READ ONLY")
    }

    /// How long one statement may take.
    pub(super) const fn statement_max(&self) -> Duration {
        self.statement_max
    }

    /// The statements that begin it.
    pub(super) fn sql(&self) -> String {
        let path = self.schema.as_deref().map_or_else(|| "pg_catalog".to_owned(), quoted);
        let Self { mode, durability, .. } = self;
        let [lock, statement, idle] =
            [self.lock_max, self.statement_max, self.idle_max].map(|max| max.as_millis());
        format!(
            "BEGIN {mode}; SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}; \
             SET LOCAL idle_in_transaction_session_timeout = {idle}; SET LOCAL search_path = {path}; {durability}"
        )
    }
}
