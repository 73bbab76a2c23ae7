//! What PostgreSQL's own types become, and what it cannot store.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{
    ColumnKind::{self, Blob, Integer, Real, Text},
    Value,
    backend::{Batch, DatabaseError, Purpose, Target, View},
};
use support::{
    database,
    item::{ITEM, claim, make, none, slot},
};

async fn view(database: &support::TestDatabase) -> Box<dyn View> {
    let on = database.open().await.unwrap();
    let id = make(&*on, Purpose::Live).await;
    on.view(&slot(), Target::Generation(id)).await.unwrap()
}

async fn cell(view: &mut Box<dyn View>, sql: &str, wanted: ColumnKind) -> Value {
    let found = view.query(&format!("SELECT {sql}"), Vec::new(), &[wanted], 1).await.unwrap();
    found.into_rows().next().unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_becomes_what_is_wanted_where_it_can() {
    let Some(database) = database().await else { return };
    let mut view = view(&database).await;
    for (sql, wanted, due) in [
        (
            "sum(x) FROM (VALUES (9223372036854775806::bigint), (1)) AS v(x)",
            Integer,
            Value::Integer(i64::MAX),
        ),
        ("sum(x) FROM (VALUES ('-9223372036854775808'::bigint)) AS v(x)", Integer, Value::Integer(i64::MIN)),
        ("avg(x) FROM (VALUES (1::bigint), (2)) AS v(x)", Real, Value::Real(1.5)),
        ("-0.000123::numeric", Real, Value::Real(-0.000_123)),
        ("12345678901234567890.5::numeric", Real, Value::Real(12_345_678_901_234_567_890.5)),
        ("1e-20::numeric", Real, Value::Real(1e-20)),
        ("100000000::numeric", Integer, Value::Integer(100_000_000)),
        ("10000.00::numeric", Integer, Value::Integer(10_000)),
        ("7::smallint", Integer, Value::Integer(7)),
        ("-7::int", Integer, Value::Integer(-7)),
        ("1 < 2", Integer, Value::Integer(1)),
        ("1.5::real", Real, Value::Real(1.5)),
        ("'-0'::float8", Real, Value::Real(-0.0)),
        ("'a'::varchar(3)", Text, Value::Text("a".into())),
        ("'a'", Text, Value::Text("a".into())),
        ("NULL", Text, Value::Null),
        ("NULL::timestamptz", Integer, Value::Null),
        ("'\\x00ff'::bytea", Blob, Value::Blob(vec![0, 255])),
        // What cannot become it comes as it is.
        ("1.5::numeric", Integer, Value::Real(1.5)),
        ("'a'::text", Integer, Value::Text("a".into())),
    ] {
        assert_eq!(cell(&mut view, sql, wanted).await, due, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_no_value_can_be_is_refused_by_its_column() {
    let Some(database) = database().await else { return };
    let mut view = view(&database).await;
    let refused = view.query("SELECT now() AS at", Vec::new(), &[Integer], 1).await;
    let Err(DatabaseError::Denied { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("\"at\"") && reason.contains("timestamptz"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_text_takes_parameters_of_changing_kinds() {
    let Some(database) = database().await else { return };
    let mut view = view(&database).await;
    let mut ask = async |value: Value, wanted| {
        let found = view.query("SELECT $1", vec![value], &[wanted], 1).await.unwrap();
        found.into_rows().next().unwrap().remove(0)
    };
    for (value, kind) in [
        (Value::Null, Integer),
        (Value::Integer(1), Integer),
        (Value::Real(1.5), Real),
        (Value::Text("1".into()), Text),
        (Value::Blob(vec![1]), Blob),
        (Value::Integer(2), Integer),
    ] {
        assert_eq!(ask(value.clone(), kind).await, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_refused_and_ends_no_view() {
    let Some(database) = database().await else { return };
    let mut view = view(&database).await;
    for sql in ["COMMIT", "DELETE FROM item", "SELECT 1; COMMIT", "SELECT 1) AS a; COMMIT; --", "VACUUM", ""]
    {
        let refused = view.query(sql, Vec::new(), &[Integer], 1).await;
        assert!(matches!(refused, Err(DatabaseError::Denied { .. })), "{sql}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_with_a_nul_is_the_events_fault_and_says_why() {
    let Some(database) = database().await else { return };
    let on = database.open().await.unwrap();
    let id = make(&*on, Purpose::Live).await;
    let mut writer = claim(&*on, id).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    let row = vec![Value::Integer(1), Value::Text("a\0b".into()), Value::Integer(1)];
    let refused = tx.write(&ITEM, none(), Batch::of(3, vec![row])).await;
    let Err(DatabaseError::Data { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("NUL") && reason.contains("note"), "{reason}");
}
