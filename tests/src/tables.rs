//! The rows of live generations, read from their files with nothing but SQL.

use anyhow::Result;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Row, SqliteConnection, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use std::{collections::BTreeMap, path::Path};

/// The rows of each table of each read model, as text, in order.
pub type Tables = BTreeMap<String, Vec<String>>;

/// Columns that say when or where something was done, rather than what.
const INCIDENTAL: [&str; 1] = ["annals_sequence"];

/// Reads all tables of all live generations of the catalog in `folder`.
pub async fn live_tables(folder: &Path) -> Result<Tables> {
    let mut catalog = open(&folder.join("catalog.sqlite")).await?;
    let live = sqlx::query("SELECT model, generation FROM live").fetch_all(&mut catalog).await?;
    let mut tables = Tables::new();
    for row in live {
        let (model, generation): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let file = folder.join("generations").join(&model).join(format!("{generation}.sqlite"));
        let mut connection = open(&file).await?;
        for table in names(&mut connection).await? {
            let rows = rows(&mut connection, &table).await?;
            tables.insert(format!("{model}.{table}"), rows);
        }
    }
    Ok(tables)
}

async fn open(path: &Path) -> Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(path).read_only(true).connect().await?)
}

async fn names(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    let query =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'annals_%' ORDER BY name";
    Ok(sqlx::query_scalar(query).fetch_all(connection).await?)
}

async fn rows(connection: &mut SqliteConnection, table: &str) -> Result<Vec<String>> {
    let query = format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""));
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(connection).await?;
    let mut texts = rows.iter().map(text).collect::<Result<Vec<_>>>()?;
    texts.sort_unstable();
    Ok(texts)
}

fn text(row: &SqliteRow) -> Result<String> {
    let mut cells = Vec::new();
    for column in row.columns().iter().filter(|column| !INCIDENTAL.contains(&column.name())) {
        let at = column.ordinal();
        let cell = match row.try_get_raw(at)?.type_info().to_string().as_str() {
            "NULL" => "NULL".to_owned(),
            "INTEGER" => row.try_get::<i64, _>(at)?.to_string(),
            "REAL" => row.try_get::<f64, _>(at)?.to_string(),
            _ => row.try_get_unchecked::<String, _>(at)?,
        };
        cells.push(format!("{}={cell}", column.name()));
    }
    Ok(cells.join(" "))
}
