//! Views of what is live, for programs that ask the database themselves.
//!
//! ```text
//! annals_p_<slot>.item     all generations' rows: each generation's table is a partition
//! annals_v_<slot>.item     the rows of the partition that the pointer row names
//! ```
//!
//! A view is made once and never replaced. So nobody waits for its lock; prepared statements, other views on it and sessions in
//! the middle of a transaction go on; and a promotion is what it is anyway, the change of one row. A statement reads the
//! pointer and the rows in one snapshot: a session whose snapshot is older than the promotion goes on with the rows of then, for
//! as long as that generation is kept.
//!
//! A generation becomes a partition when it is finished, before it can be live. That waits for no reader, and no reader waits for
//! it. But a session that reads a view, and whose transaction is older than that, does not know the new partition: after a
//! promotion it would find nothing. So a promotion waits until those that have the tables locked by then are older no more;
//! new readers do not wait. Whoever stays in such a transaction makes the promotion [`DatabaseError::Busy`].
//!
//! Sessions on a standby server cannot be waited for: there a transaction that is older than a generation may find nothing after
//! its promotion, until it ends. Views need PostgreSQL 12 or newer.
//! Rows cannot be attributed to a wrong generation: a constraint of each table says its number, which also spares a look at
//! the rows when it is attached.

use crate::{
    catalog,
    connection::{Binds, Session},
    names::Names,
    table::TableSql,
};
use annals_projection::{
    GenerationId, Value,
    backend::{Change, DatabaseError, GenerationSpec, Slot, quoted},
};
use sqlx::{PgConnection, Row};
use std::{
    ops::DerefMut,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const ROWS: &str = include_str!("../../../migrations/postgres/views/0001_rows.sql");
const LIVE: &str = include_str!("../../../migrations/postgres/views/0001_live.sql");
/// How long a promotion waits for sessions that do not know the generation.
const UNKNOWING_MAX: Duration = Duration::from_secs(2);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Two that make the same tables wait for each other.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

/// Whether other programs read a slot through views.
pub(crate) async fn are_there<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    slot: &Slot,
) -> Result<bool, DatabaseError> {
    let there = "SELECT FROM pg_namespace WHERE nspname = $1".to_owned();
    Ok(session.row(there, Binds::new().and(names.partitioned(slot))).await?.is_some())
}

/// Lets the views find a generation that was made with this number, once it is live.
pub(crate) async fn attach<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    spec: &GenerationSpec,
    number: i32,
) -> Result<(), DatabaseError> {
    let (place, partitioned) = (names.generation(spec.id), names.partitioned(&spec.slot));
    session.row(LOCK.to_owned(), Binds::new().and(partitioned.as_str())).await?;
    let views = names.views(&spec.slot);
    for schema in [&partitioned, &views] {
        session.script(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema))).await?;
    }
    for table in spec.schema.tables() {
        let table = TableSql::new(&place, &table.schema);
        let columns = format!("{}, annals_generation integer NOT NULL", table.definitions());
        let statement = ROWS
            .replace("{rows}", table.within(&partitioned).qualified())
            .replace("{columns}", &columns)
            .replace("{table}", table.qualified())
            .replace("{number}", &number.to_string());
        session.script(statement).await?;
    }
    ensure(session, names, &spec.slot).await
}

/// A generation was attached, and whatever transaction begins from here on knows it.
pub(crate) async fn attached<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
) -> Result<(), DatabaseError> {
    let update = names.sql("UPDATE annals.generation SET attached_at = clock_timestamp() WHERE id = $1");
    session.execute(update, Binds::new().and(*id.as_uuid())).await.map(|_| ())
}

/// The transactions that have the tables of a slot locked and may be older than a generation. Whose beginning cannot be seen is older.
const UNKNOWING: &str = "SELECT l.virtualtransaction FROM pg_locks l JOIN pg_class p ON p.oid = l.relation
    JOIN pg_namespace n ON n.oid = p.relnamespace JOIN pg_database d ON d.oid = l.database
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE d.datname = current_database() AND n.nspname = $1 AND l.locktype = 'relation' AND l.granted
    AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND NOT coalesce(a.xact_start > (SELECT g.attached_at FROM annals.generation g WHERE g.id = $2), false)";

/// Waits until every reader knows the generation that a change makes live, and makes the change.
pub(crate) async fn change<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    change: &Change,
) -> Result<(), DatabaseError> {
    let seen = are_there(session, names, &change.slot).await?;
    if let (true, Some(to)) = (seen, change.set) {
        known(session, names, &change.slot, to.generation).await?;
    }
    catalog::change(session, names, change).await?;
    if seen { ensure(session, names, &change.slot).await } else { Ok(()) }
}

async fn known<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    slot: &Slot,
    id: GenerationId,
) -> Result<(), DatabaseError> {
    let (begun, mut first) = (Instant::now(), None);
    loop {
        let binds = Binds::new().and(names.partitioned(slot)).and(*id.as_uuid());
        let rows = session.rows(names.sql(UNKNOWING), binds).await?;
        let now: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
        // Who came later came after the generation.
        let waited_for = first.get_or_insert_with(|| now.clone());
        waited_for.retain(|transaction| now.contains(transaction));
        if waited_for.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > UNKNOWING_MAX {
            let reason =
                "a session that reads the views is in a transaction that is older than the generation"
                    .to_owned();
            return Err(DatabaseError::Busy { reason });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The tables of a slot that have no view yet, with their columns, as soon as the view would not be empty where rows are live.
const MISSING: &str = "SELECT p.relname::text, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    FROM pg_class p JOIN pg_namespace n ON n.oid = p.relnamespace
    JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0 AND a.attname <> 'annals_generation'
    WHERE n.nspname = $1 AND p.relkind = 'p' AND NOT EXISTS (
        SELECT FROM pg_class v JOIN pg_namespace w ON w.oid = v.relnamespace
        WHERE w.nspname = $2 AND v.relname = p.relname
    ) AND NOT EXISTS (
        SELECT FROM annals.live l WHERE l.model = $3 AND l.schema_hash = $4 AND NOT EXISTS (
            SELECT FROM pg_inherits i JOIN pg_class t ON t.oid = i.inhrelid JOIN pg_namespace g ON g.oid = t.relnamespace
            WHERE i.inhparent = p.oid AND g.nspname = $5 || replace(l.generation::text, '-', '')
        )
    ) GROUP BY p.relname";

/// Makes the views that can be made.
async fn ensure<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    slot: &Slot,
) -> Result<(), DatabaseError> {
    let (partitioned, views) = (names.partitioned(slot), names.views(slot));
    let (model, hash) = (slot.model.as_str(), slot.schema.as_str());
    let binds = Binds::new().and(partitioned.as_str()).and(views.as_str()).and(model).and(hash);
    let missing = session.rows(names.sql(MISSING), binds.and(names.generation_prefix())).await?;
    let literal = |text: &str| Value::Text(text.to_owned()).to_string();
    for row in missing {
        let get = |at| row.try_get::<String, _>(at).map_err(DatabaseError::denied);
        let (table, columns) = (get(0)?, get(1)?);
        let statement = LIVE
            .replace("{view}", &format!("{}.{}", quoted(&views), quoted(&table)))
            .replace("{rows}", &format!("{}.{}", quoted(&partitioned), quoted(&table)))
            .replace("{columns}", &columns)
            .replace("{catalog}", &quoted(names.catalog()))
            .replace("{schema_hash}", &literal(hash))
            .replace("{model}", &literal(model));
        session.script(statement).await?;
    }
    Ok(())
}
