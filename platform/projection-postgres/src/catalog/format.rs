//! The catalog's own tables: made when they are not there, refused when another release made them otherwise.

use super::get;
use crate::{
    connection::{Begin, Binds, Connections, Session, Shared},
    names::Names,
};
use annals_projection::backend::{DatabaseError, quoted};
use uuid::Uuid;

/// The scripts that make a catalog, and the number of the newest.
const SCRIPTS: [&str; 2] = [
    include_str!("../../../../migrations/postgres/catalog/0001_create.sql"),
    include_str!("../../../../migrations/postgres/generation/0001_create.sql"),
];
const FORMAT: i64 = 1;
/// The format of the generations that this release makes and reads.
pub(super) const GENERATION_FORMAT: i64 = 1;
/// Key of the lock under which catalogs are made, one after the other: "annals" in ASCII.
const MAKING: i64 = 0x616e_6e61_6c73;
/// The only encoding in which every text of a program can be stored.
const ENCODING: &str = "UTF8";

/// Makes sure that the catalog is there, and is one that this release knows.
pub(crate) async fn open(connections: &Connections, names: &Names) -> Result<(), DatabaseError> {
    let mut session = connections.transaction(Begin::durable()).await?;
    check_encoding(&mut session).await?;
    if let Some(found) = read(&mut session, names).await? {
        return check(names, found);
    }
    let locking = "SELECT pg_advisory_xact_lock($1)".to_owned();
    session.execute(locking, Binds::new().and(MAKING)).await?;
    if let Some(found) = read(&mut session, names).await? {
        return check(names, found);
    }
    let schema = quoted(names.catalog());
    session.script(format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET LOCAL search_path = {schema}")).await?;
    for script in SCRIPTS {
        session.script(script.to_owned()).await?;
    }
    let insert = names.sql("INSERT INTO annals.catalog (one, id, format) VALUES (true, $1, $2)");
    session.execute(insert, Binds::new().and(Uuid::now_v7()).and(FORMAT)).await?;
    session.commit().await
}

/// By a join and not by `to_regnamespace`, which remembers that there was no schema.
const THERE: &str = "SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = 'catalog'";

/// The format of the catalog that is there.
async fn read(session: &mut Session<Shared>, names: &Names) -> Result<Option<i64>, DatabaseError> {
    if session.row(THERE.to_owned(), Binds::new().and(names.catalog())).await?.is_none() {
        return Ok(None);
    }
    let row = session.row(names.sql("SELECT format FROM annals.catalog"), Binds::new()).await?;
    row.map(|row| get(&row, 0)).transpose()
}

fn check(names: &Names, found: i64) -> Result<(), DatabaseError> {
    let place = format!("the catalog in schema {}", names.catalog());
    if found == FORMAT { Ok(()) } else { Err(DatabaseError::Format { place, found, known: FORMAT }) }
}

async fn check_encoding(session: &mut Session<Shared>) -> Result<(), DatabaseError> {
    let read = "SELECT current_setting('server_encoding')".to_owned();
    let row = session.row(read, Binds::new()).await?;
    let found: String = row.map(|row| get(&row, 0)).transpose()?.unwrap_or_default();
    if found == ENCODING {
        return Ok(());
    }
    Err(DatabaseError::denied(format!("the database's encoding is {found}; make one of encoding {ENCODING}")))
}
