//! Connections, and what may be done with them: begin a transaction, run statements in it, end it.

mod begin;
mod binds;
mod failure;

pub(crate) use begin::Begin;
pub(crate) use binds::{Binds, Unknown};
pub(crate) use failure::{away, failure};

use crate::PostgresOptions;
use annals_projection::backend::DatabaseError;
use failure::{commit_failure, read_failure};
use futures::TryFutureExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};
use std::{fmt, future::Future, ops::DerefMut, time::Duration};
use tokio::time::timeout;

/// How long a connection is waited for.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How much longer than the server's own bound an answer is waited for.
const ANSWER_SLACK: Duration = Duration::from_secs(5);
/// A connection that nobody used for so long is tried before it is used.
const TRY_AFTER_IDLE: Duration = Duration::from_secs(1);

/// A connection of its own. Dropping it ends its session, and with it the transaction.
pub(crate) type Own = Box<PgConnection>;
/// A transaction on a connection that others use afterwards. Dropping it rolls back.
pub(crate) type Shared = Transaction<'static, Postgres>;

/// The way to the database.
#[derive(Clone)]
pub(crate) struct Connections {
    address: PgConnectOptions,
    pool: PgPool,
    keep: bool,
}

impl Connections {
    /// Nothing is connected yet.
    pub(crate) fn new(options: &PostgresOptions) -> Result<Self, DatabaseError> {
        let address = address(&options.url, options)?;
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max.max(1))
            .acquire_timeout(CONNECT_MAX)
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for > TRY_AFTER_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(address.clone());
        Ok(Self { address, pool, keep: options.statements_kept > 0 })
    }

    /// The address without the password.
    pub(crate) fn place(&self) -> String {
        let (user, database) = (self.address.get_username(), self.address.get_database());
        let database = database.unwrap_or(user);
        match self.address.get_socket() {
            Some(socket) => format!("postgres://{user}@/{database}?host={}", socket.display()),
            None => {
                let (host, port) = (self.address.get_host(), self.address.get_port());
                format!("postgres://{user}@{host}:{port}/{database}")
            }
        }
    }

    /// A connection of its own, in no transaction.
    pub(crate) async fn own(&self) -> Result<Session<Own>, DatabaseError> {
        let connecting = timeout(CONNECT_MAX, PgConnection::connect_with(&self.address));
        let connection = connecting.await.map_err(|_| late(CONNECT_MAX))?.map_err(failure)?;
        Ok(Session {
            connection: Box::new(connection),
            keep: self.keep,
            answers: Answers { max: ANSWER_SLACK, reads: false, broken: false },
        })
    }

    /// A transaction on a connection of the pool.
    pub(crate) async fn transaction(&self, begin: Begin) -> Result<Session<Shared>, DatabaseError> {
        let (max, reads) = (begin.statement_max() + ANSWER_SLACK, begin.only_reads());
        let beginning = timeout(CONNECT_MAX * 2, self.pool.begin_with(AssertSqlSafe(begin.sql())));
        let connection = match beginning.await.map_err(|_| late(CONNECT_MAX * 2))? {
            Ok(connection) => connection,
            // Either all are in use, or none can be made: one more try tells why.
            Err(error @ sqlx::Error::PoolTimedOut) => {
                self.own().await?.close().await?;
                return Err(failure(error));
            }
            Err(error) => return Err(failure(error)),
        };
        let answers = Answers { max, reads, broken: false };
        Ok(Session { connection, keep: self.keep, answers })
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

/// What a URL says, with what the options add.
pub(crate) fn address(url: &str, options: &PostgresOptions) -> Result<PgConnectOptions, DatabaseError> {
    let address: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| {
        // The text of an error may have parts of the URL, and so of the password.
        let _ = error;
        DatabaseError::denied(
            "the database's URL cannot be read; write postgres://user:password@host:port/database",
        )
    })?;
    let address = match &options.password {
        Some(password) => address.password(password),
        None => address,
    };
    Ok(address
        .application_name(&options.application_name)
        .statement_cache_capacity(options.statements_kept)
        // Numbers cross in binary; a pooler need not know the setting.
        .extra_float_digits(None)
        .disable_statement_logging())
}

fn late(max: Duration) -> DatabaseError {
    away(format!("the database gave no answer within {max:?}"))
}

/// A connection on which statements run.
pub(crate) struct Session<C> {
    connection: C,
    /// Whether the connection keeps prepared statements.
    keep: bool,
    answers: Answers,
}

/// What answers of a session have to be.
struct Answers {
    /// How long one is waited for.
    max: Duration,
    /// Whether the transaction only reads.
    reads: bool,
    /// Whether there was none: nothing more is asked then.
    broken: bool,
}

impl Answers {
    async fn to<T>(
        &mut self,
        question: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, DatabaseError> {
        if self.broken {
            return Err(away("the session with the database has ended"));
        }
        let failure = if self.reads { read_failure } else { failure };
        let answer = timeout(self.max, question).await;
        let answer = answer.map_err(|_| late(self.max)).and_then(|answer| answer.map_err(failure));
        self.broken = matches!(answer, Err(DatabaseError::Away { .. }));
        answer
    }
}

impl Session<Own> {
    /// Begins a transaction.
    pub(crate) async fn begin(&mut self, begin: Begin) -> Result<(), DatabaseError> {
        self.answers.max = begin.statement_max() + ANSWER_SLACK;
        self.script(begin.sql()).await
    }

    /// Takes the transaction back.
    pub(crate) async fn roll_back(&mut self) -> Result<(), DatabaseError> {
        self.script("ROLLBACK".to_owned()).await
    }

    /// Commits. Without an answer it is [`DatabaseError::Unknown`] what became of it.
    pub(crate) async fn commit(&mut self) -> Result<(), DatabaseError> {
        let committing = sqlx::raw_sql("COMMIT").execute(&mut *self.connection);
        match timeout(self.answers.max, committing).await {
            Ok(ended) => ended.map(|_| ()).map_err(commit_failure),
            Err(_) => Err(DatabaseError::Unknown { reason: late(self.answers.max).to_string() }),
        }
    }

    /// Ends the session.
    pub(crate) async fn close(self) -> Result<(), DatabaseError> {
        let closing = timeout(CONNECT_MAX, self.connection.close()).await;
        closing.map_err(|_| late(CONNECT_MAX))?.map_err(failure)
    }
}

impl Session<Shared> {
    /// Commits. Without an answer it is [`DatabaseError::Unknown`] what became of it.
    pub(crate) async fn commit(self) -> Result<(), DatabaseError> {
        match timeout(self.answers.max, self.connection.commit()).await {
            Ok(ended) => ended.map_err(commit_failure),
            Err(_) => Err(DatabaseError::Unknown { reason: late(self.answers.max).to_string() }),
        }
    }
}

impl<C: DerefMut<Target = PgConnection> + Send> Session<C> {
    /// The connection.
    pub(crate) fn native(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Runs statements without values.
    pub(crate) async fn script(&mut self, sql: String) -> Result<(), DatabaseError> {
        let running = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.connection);
        self.answers.to(running.map_ok(|_| ())).await
    }

    /// Runs a statement; says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: String, binds: Binds) -> Result<u64, DatabaseError> {
        let query = sqlx::query_with(AssertSqlSafe(sql), binds.take()?).persistent(self.keep);
        let running = query.execute(&mut *self.connection).map_ok(|done| done.rows_affected());
        self.answers.to(running).await
    }

    /// The row that a statement finds.
    pub(crate) async fn row(&mut self, sql: String, binds: Binds) -> Result<Option<PgRow>, DatabaseError> {
        let query = sqlx::query_with(AssertSqlSafe(sql), binds.take()?).persistent(self.keep);
        self.answers.to(query.fetch_optional(&mut *self.connection)).await
    }

    /// The rows that a statement finds.
    pub(crate) async fn rows(&mut self, sql: String, binds: Binds) -> Result<Vec<PgRow>, DatabaseError> {
        let query = sqlx::query_with(AssertSqlSafe(sql), binds.take()?).persistent(self.keep);
        self.answers.to(query.fetch_all(&mut *self.connection)).await
    }

    /// Copies rows into a table, in PostgreSQL's binary form.
    pub(crate) async fn copy(&mut self, sql: &str, pieces: Vec<Vec<u8>>) -> Result<(), DatabaseError> {
        let copying = async {
            let mut copy = self.connection.copy_in_raw(sql).await?;
            for piece in pieces {
                copy.send(piece).await?;
            }
            copy.finish().await.map(|_| ())
        };
        self.answers.to(copying).await
    }
}
