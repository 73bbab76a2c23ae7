//! Who waits for a checkpoint or a pointer is woken: at once by changes of this process, soon by those of others.
//!
//! Other processes are told by `NOTIFY`, in a transaction of its own and not of the fold's: a transaction that notifies commits
//! under a lock that all databases of the server share. Many changes are told once.

use crate::{
    Listen, PostgresOptions,
    connection::{Begin, Binds, Connections, address},
    names::Names,
};
use annals_projection::backend::DatabaseError;
use sqlx::{
    Row,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;
use uuid::Uuid;

/// How often other processes are told at most.
const TELL_EVERY: Duration = Duration::from_millis(20);
/// How often the database is asked when nothing else tells.
const POLL: Duration = Duration::from_millis(500);
/// When a listener that lost its connection tries again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Counts changes of pointers and checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct Changes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    count: watch::Sender<u64>,
    tell: Notify,
    /// Who tells.
    me: Uuid,
}

/// What hears and tells of changes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Changes {
    /// Begins to hear and to tell.
    pub(crate) fn watch(
        connections: &Connections,
        names: &Names,
        options: &PostgresOptions,
    ) -> Result<(Self, Watching), DatabaseError> {
        let inner = Inner { count: watch::Sender::new(0), tell: Notify::new(), me: Uuid::now_v7() };
        let changes = Self(Arc::new(inner));
        let channel = names.catalog().to_owned();
        let mut tasks = vec![
            tokio::spawn(tell(changes.clone(), connections.clone(), channel.clone())),
            tokio::spawn(poll(changes.clone(), connections.clone(), names.clone())),
        ];
        let listen_at = match &options.listen {
            Listen::Off => None,
            Listen::Direct => Some(&options.url),
            Listen::At(url) => Some(url),
        };
        if let Some(url) = listen_at {
            tasks.push(tokio::spawn(listen(changes.clone(), address(url, options)?, channel)));
        }
        Ok((changes, Watching { _tasks: tasks.into_iter().map(AbortOnDropHandle::new).collect() }))
    }

    /// The count.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.count.subscribe()
    }

    /// Something was changed by this process.
    pub(crate) fn changed(&self) {
        self.count();
        self.0.tell.notify_one();
    }

    fn count(&self) {
        self.0.count.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn is_waited_for(&self) -> bool {
        self.0.count.receiver_count() > 0
    }
}

async fn tell(changes: Changes, connections: Connections, channel: String) {
    loop {
        changes.0.tell.notified().await;
        let told = async {
            let mut session = connections.transaction(Begin::fold()).await?;
            let binds = Binds::new().and(channel.as_str()).and(changes.0.me.to_string());
            session.row("SELECT pg_notify($1, $2)".to_owned(), binds).await?;
            session.commit().await
        };
        if let Err(error) = told.await {
            debug!(%error, "other processes were not told of a change; they poll");
        }
        sleep(TELL_EVERY).await;
    }
}

/// What changes with every pointer and every checkpoint.
const DIGEST: &str = "SELECT (SELECT coalesce(sum(epoch), 0) FROM annals.live)::text || ' '
    || (SELECT coalesce(sum(sequence + epoch), 0) FROM annals.control)::text";

async fn poll(changes: Changes, connections: Connections, names: Names) {
    let mut before = None;
    loop {
        sleep(POLL).await;
        if !changes.is_waited_for() {
            continue;
        }
        let read = async {
            let mut session = connections.transaction(Begin::view()).await?;
            session.row(names.sql(DIGEST), Binds::new()).await
        };
        match read.await {
            Ok(row) => {
                let now = row.and_then(|row| row.try_get::<String, _>(0).ok());
                if now != before {
                    changes.count();
                }
                before = now;
            }
            Err(error) => debug!(%error, "the database was not asked for changes"),
        }
    }
}

async fn listen(changes: Changes, address: PgConnectOptions, channel: String) {
    loop {
        if let Err(error) = hear(&changes, &address, &channel).await {
            debug!(%error, "nothing is heard of other processes' changes; polling finds them");
        }
        sleep(LISTEN_AGAIN).await;
    }
}

async fn hear(changes: &Changes, address: &PgConnectOptions, channel: &str) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(address.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(channel).await?;
    // What was told before is not heard.
    changes.count();
    let me = changes.0.me.to_string();
    while let Some(heard) = listener.try_recv().await? {
        if heard.payload() != me {
            changes.count();
        }
    }
    Ok(())
}
