use std::{fmt, time::Duration};

/// How long a lease lasts that is not renewed.
const LEASE: Duration = Duration::from_secs(10);
/// How long a writer's session may stand idle within a transaction. A process that was stopped loses its locks then.
const WRITER_IDLE_MAX: Duration = Duration::from_secs(30);
/// How many connections there are for readers and for the catalog.
const CONNECTIONS_MAX: u32 = 16;
/// How many prepared statements a connection keeps.
const STATEMENTS_KEPT: usize = 100;

/// Where the database is, and how it is used.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database`, or with `?host=/path` the folder of a Unix socket.
    pub url: String,
    /// The password, in place of one in the URL.
    pub password: Option<String>,
    /// The schema of the catalog: lower-case letters, digits and `_`, at most 26 bytes. The schemas of its generations have
    /// names that begin with it.
    pub schema: String,
    /// What `pg_stat_activity` calls these connections.
    pub application_name: String,
    /// How many connections readers and the catalog share. Each writer and each [`Listen`] has one more.
    pub connections_max: u32,
    /// How many prepared statements a connection keeps. 0 for a pooler that does not know prepared statements, such as PgBouncer
    /// before 1.21.
    pub statements_kept: usize,
    /// Whether other processes' changes are heard of, or found by polling alone.
    pub listen: Listen,
    /// Whether other programs can read what is live through views, in a schema `<schema>_v_<read model>_<hash>` for each read model
    /// and set of tables. Generations that were made without views are not seen there; a candidate that is promoted is.
    pub views: bool,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How long a writer's session may stand idle within a transaction before the server ends it.
    pub writer_idle_max: Duration,
}

/// How changes that other processes make are noticed at once. Polling is slower, and always there.
#[derive(Clone, PartialEq, Eq)]
pub enum Listen {
    /// `LISTEN` on a connection of its own, to the same address.
    Direct,
    /// `LISTEN` at another address: the server's own, where the other one is a pooler's.
    At(String),
    /// Not at all.
    Off,
}

impl PostgresOptions {
    /// The database at this URL, with the schema `annals`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            schema: "annals".to_owned(),
            application_name: "annals".to_owned(),
            connections_max: CONNECTIONS_MAX,
            statements_kept: STATEMENTS_KEPT,
            listen: Listen::Direct,
            views: false,
            lease: LEASE,
            writer_idle_max: WRITER_IDLE_MAX,
        }
    }
}

impl fmt::Debug for PostgresOptions {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, application_name, connections_max, listen, views, .. } = self;
        f.debug_struct("PostgresOptions")
            .field("schema", schema)
            .field("application_name", application_name)
            .field("connections_max", connections_max)
            .field("listen", listen)
            .field("views", views)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Listen {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "Direct",
            Self::At(_) => "At(..)",
            Self::Off => "Off",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_options_has_no_password() {
        let mut options = PostgresOptions::new("postgres://shop:s3cret@db/shop");
        options.listen = Listen::At(options.url.clone());
        let shown = format!("{options:?}");
        assert!(!shown.contains("s3cret") && shown.contains("annals"), "{shown}");
    }
}
