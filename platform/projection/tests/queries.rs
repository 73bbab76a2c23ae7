//! Rows by key, in pages, and by SQL of one's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "queries/keys.rs"]
mod keys;
mod support;
#[path = "queries/things.rs"]
mod things;

use annals_event::Sequence;
use annals_projection::{
    Cursor, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, Page, QUERY_KEYS_MAX, QUERY_ROWS_MAX, QueryError, Reader,
    ReaderError, Select, Table, Value,
};
use std::cmp::Ordering;
use support::PATIENCE;
use things::{Shelf, Thing, thing};

/// The order of cells: `NULL` first, then by value, text and blobs by their bytes.
fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        (Value::Real(left), Value::Real(right)) => left.partial_cmp(right).unwrap(),
        (Value::Text(left), Value::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Value::Blob(left), Value::Blob(right)) => left.cmp(right),
        other => panic!("{other:?}"),
    }
}

/// The cells of a row's columns.
fn cells<R: Table>(row: &R, columns: &[&str]) -> Vec<Value> {
    let at = |name: &&str| R::SCHEMA.columns.iter().position(|column| column.name == *name).unwrap();
    let values = row.to_values().unwrap();
    columns.iter().map(|name| values[at(name)].clone()).collect()
}

/// Puts rows into the order of these columns.
fn sort<R: Table>(rows: &mut [R], columns: &[&str]) {
    rows.sort_by(|left, right| {
        let (left, right) = (cells(left, columns), cells(right, columns));
        left.iter().zip(&right).map(|(l, r)| compare(l, r)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    });
}

/// Reads all pages; each cursor goes through its text.
async fn pages<R: Table>(reader: &mut Reader, select: Select<R>, limit: u32) -> Vec<R> {
    let (mut rows, mut after) = (Vec::new(), None::<Cursor>);
    loop {
        let page = reader.page(select.clone().after(after).limit(limit)).await.unwrap();
        rows.extend(page.rows.clone());
        let Some(next) = page.next else { return rows };
        assert_eq!(page.rows.len(), usize::try_from(limit).unwrap(), "only the last page is not full");
        after = Some(next.to_string().parse().unwrap());
        assert_eq!(after, Some(next));
    }
}

/// The rows in ascending order must be those of `select`, page by page, and the other way round.
async fn assert_pages<R: Table + std::fmt::Debug>(reader: &mut Reader, select: Select<R>, due: &[R]) {
    for limit in [1, 2, 7, PAGE_ROWS_MAX] {
        assert_eq!(pages(reader, select.clone(), limit).await, due, "{select:?} by {limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_by_every_index_have_each_row_once_and_in_order() {
    let shelf = Shelf::with((0..60).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let mut all: Vec<Thing> = reader.all().await.unwrap();
    assert_eq!(all.len(), 60);
    for (column, by, equal) in things::INDEXES {
        for from in [thing(0), thing(7), thing(20), thing(33)] {
            sort(&mut all, &[column, "id"]);
            let value = |thing: &Thing| cells(thing, &[column]).remove(0);
            let at = |row: &&Thing| compare(&value(row), &value(&from));
            let up: Vec<_> = all.iter().filter(|row| at(row).is_ge()).cloned().collect();
            let down: Vec<_> = all.iter().filter(|row| at(row).is_le()).rev().cloned().collect();
            let mut same: Vec<_> = all.iter().filter(|row| at(row).is_eq()).cloned().collect();
            assert!(!same.is_empty() && up.len() + down.len() == all.len() + same.len());
            assert_pages(reader, by(&from), &up).await;
            assert_pages(reader, by(&from).descending(), &down).await;
            assert_pages(reader, equal(&from), &same).await;
            same.reverse();
            assert_pages(reader, equal(&from).descending(), &same).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_column_can_be_a_key() {
    let shelf = Shelf::with((0..60).map(thing)).await;
    keys::assert_all(&mut shelf.reader().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_of_a_table_are_paged_by_their_keys_from_any_key_on() {
    let shelf = Shelf::with((0..60).map(|at| thing(2 * at))).await;
    let reader = &mut shelf.reader().await;
    let mut all: Vec<Thing> = reader.all().await.unwrap();
    assert_pages(reader, Select::all(), &all).await;
    for key in [-1, 0, 7, 8, 118, 200] {
        let rest: Vec<_> = all.iter().filter(|row| row.number > key).cloned().collect();
        assert_pages(reader, Select::after_key(&key), &rest).await;
    }
    all.reverse();
    assert_pages(reader, Select::all().descending(), &all).await;
    let rest: Vec<_> = all.iter().filter(|row| row.number < 8).cloned().collect();
    assert_pages(reader, Select::after_key(&8).descending(), &rest).await;
    let page = reader.page(Select::<Thing>::all()).await.unwrap();
    assert_eq!(page.rows.len(), usize::try_from(PAGE_ROWS_DEFAULT).unwrap());
    let last = reader.page(Select::<Thing>::all().after(page.next).limit(10)).await.unwrap();
    assert_eq!((last.rows.len(), last.next), (10, None), "a full page that is the last one has no next");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_change_between_pages_stand_where_they_are_then() {
    let stock = |id, stock| Thing { stock, ..thing(id) };
    let shelf = Shelf::with((0..6).map(|id| stock(id, 10))).await;
    let select = || Thing::by_stock(0).limit(3);
    let ids = |page: &Page<Thing>| page.rows.iter().map(|row| row.number).collect::<Vec<_>>();
    let page = shelf.reader().await.page(select()).await.unwrap();
    assert_eq!(ids(&page), [0, 1, 2]);

    // 1 was read and moves on, 4 was not read and moves back, 3 goes, 7 and -1 come.
    shelf.put([stock(1, 20), stock(4, 1), stock(7, 10), stock(-1, 10)]).await;
    shelf.remove(3).await;
    let page = shelf.reader().await.page(select().after(page.next)).await.unwrap();
    assert_eq!(ids(&page), [5, 7, 1]);
    assert_eq!(page.next, None);

    // The row that a cursor stands behind need not be there any more.
    let page = shelf.reader().await.page(select()).await.unwrap();
    assert_eq!(ids(&page), [4, -1, 0]);
    shelf.remove(0).await;
    let page = shelf.reader().await.page(select().after(page.next)).await.unwrap();
    assert_eq!(ids(&page), [2, 5, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_from_one_row_to_its_limit() {
    let shelf = Shelf::with((0..3).map(thing)).await;
    let reader = &mut shelf.reader().await;
    for limit in [0, PAGE_ROWS_MAX + 1, u32::MAX] {
        let refused = reader.page(Select::<Thing>::all().limit(limit)).await.unwrap_err();
        assert!(refused.is_invalid_input() && !refused.is_transient());
        assert!(matches!(refused, ReaderError::Query(QueryError::Limit { limit: l }) if l == limit));
    }
    assert_eq!(reader.page(Select::<Thing>::all().limit(PAGE_ROWS_MAX)).await.unwrap().rows.len(), 3);
    let nowhere = reader.page(Thing::where_name("none".to_owned())).await.unwrap();
    assert_eq!(nowhere, Page { rows: vec![], next: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_query_is_refused() {
    let shelf = Shelf::with((0..9).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let cursor = reader.page(Thing::by_stock(0).limit(1)).await.unwrap().next.unwrap();
    for other in [
        Select::all(),
        Thing::by_stock(0).descending(),
        Thing::by_name(String::new()),
        Thing::where_stock(0),
        Thing::by_maybe(None),
    ] {
        let refused = reader.page(other.after(cursor.clone())).await.unwrap_err();
        assert!(matches!(refused, ReaderError::Query(QueryError::OtherCursor { .. })), "{refused}");
        assert!(refused.is_invalid_input());
    }
    let refused = reader.page(Select::<keys::ByI64>::all().after(cursor.clone())).await.unwrap_err();
    assert!(refused.to_string().contains("another query than by_i64 by key;"), "{refused}");
    assert!(
        reader.page(Thing::by_stock(5).after(cursor).limit(7)).await.is_ok(),
        "where it began is no matter"
    );
    let of = async |reader: &mut Reader, value| reader.page(Thing::where_sold(value).limit(1)).await.unwrap();
    let cursor = of(reader, true).await.next;
    assert!(reader.page(Thing::where_sold(false).after(cursor.clone())).await.is_err());
    assert!(reader.page(Thing::where_sold(true).after(cursor)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_one_query_and_come_in_their_order() {
    let shelf = Shelf::with((0..600).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let ids = |rows: Vec<Thing>| rows.into_iter().map(|row| row.number).collect::<Vec<_>>();
    assert_eq!(
        ids(reader.get_many(&[7, 3, 1_000, 5]).await.unwrap()),
        [7, 3, 5],
        "a missing one is left out"
    );
    assert_eq!(ids(reader.get_many(&[3, 3]).await.unwrap()), [3, 3]);
    assert!(reader.get_many::<Thing>(&[]).await.unwrap().is_empty());
    for count in [1, 2, 8, 9, 33, 129, 499, 500] {
        let keys: Vec<_> = (0..count).rev().collect();
        assert_eq!(ids(reader.get_many(&keys).await.unwrap()), keys);
    }
    let keys: Vec<_> = (0..501).collect();
    let refused = reader.get_many::<Thing>(&keys).await.unwrap_err();
    assert!(matches!(refused, ReaderError::Query(QueryError::TooManyKeys { keys: 501 })), "{refused}");
    assert_eq!(QUERY_KEYS_MAX, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clause_of_sql_finds_typed_rows() {
    let shelf = Shelf::with((0..60).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let all: Vec<Thing> = reader.all().await.unwrap();
    let found: Vec<Thing> = reader.query("", ()).await.unwrap();
    assert_eq!(found.len(), all.len());
    let clause = "WHERE stock > $2 AND (name = $1 OR name = 'it''s $9') ORDER BY id DESC LIMIT 3";
    let found: Vec<Thing> = reader.query(clause, ("B", 1)).await.unwrap();
    let due = all.iter().rev().filter(|row| row.stock > 1 && row.name == "B").take(3);
    assert_eq!(found, due.cloned().collect::<Vec<_>>());
    let joined = "JOIN by_i64 AS other ON other.id = thing.id WHERE other.key = $1";
    let found: Vec<Thing> = reader.query(joined, (all[3].stock,)).await.unwrap();
    assert_eq!(found.len(), 1);
    let eight = "WHERE id IN ($1, $2, $3, $4, $5, $6, $7, $8) ORDER BY id";
    let found: Vec<Thing> =
        reader.query(eight, (1, 2_i64, 3_u8, 4_u64, Some(5), Sequence::new(6), 7, 8)).await.unwrap();
    assert_eq!(found, all[1..=8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_and_counts_are_tuples() {
    let shelf = Shelf::with((0..60).map(thing)).await;
    let reader = &mut shelf.reader().await;
    type Sums = (u32, Option<i64>, Option<String>);
    let sums = "SELECT count(*), max(stock), min(name) FROM thing WHERE id < $1";
    let found: Vec<Sums> = reader.values(sums, (60,)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].2.as_deref()), (60, Some("")));
    let none: Vec<Sums> = reader.values(sums, (-1,)).await.unwrap();
    assert_eq!(none, [(0, None, None)]);
    let wrong = reader.values::<(u32,)>(sums, (60,)).await.unwrap_err();
    assert!(matches!(wrong, ReaderError::Row(_)), "{wrong}");
    let wrong = reader.values::<(bool,)>("SELECT 7", ()).await.unwrap_err();
    assert!(matches!(wrong, ReaderError::Row(_)), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_wrong_or_writes_is_refused_and_the_view_stays() {
    let shelf = Shelf::with((0..60).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let refused = |error: ReaderError| {
        assert!(matches!(error, ReaderError::Query(QueryError::Statement { .. })), "{error}");
        assert!(!error.is_invalid_input() && !error.is_transient());
    };
    refused(reader.query::<Thing>("WHERE id = $1", ()).await.unwrap_err());
    refused(reader.query::<Thing>("WHERE id = $2", (1,)).await.unwrap_err());
    refused(reader.query::<Thing>("LIMIT 1; COMMIT", ()).await.unwrap_err());
    refused(reader.values::<(i64,)>("COMMIT", ()).await.unwrap_err());
    let write = "WITH a AS (SELECT 1) DELETE FROM thing";
    for error in [
        reader.values::<(i64,)>(write, ()).await.unwrap_err(),
        reader.query::<Thing>("WHERE nothing = 1", ()).await.unwrap_err(),
    ] {
        assert!(matches!(error, ReaderError::Database(_)), "{error}");
    }
    shelf.put((60..70).map(thing)).await;
    assert_eq!(reader.values::<(i64,)>("SELECT count(*) FROM thing", ()).await.unwrap(), [(60,)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_too_many_rows_is_an_error_and_never_cut() {
    let shelf = Shelf::with((0..101).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let ten_thousand = "CROSS JOIN (SELECT 1 FROM thing AS other LIMIT 100) WHERE thing.id < 100";
    let fits: Vec<Thing> = reader.query(ten_thousand, ()).await.unwrap();
    assert_eq!(fits.len(), QUERY_ROWS_MAX);
    let more = "CROSS JOIN (SELECT 1 FROM thing AS other LIMIT 100)";
    for _ in 0..3 {
        let refused = reader.query::<Thing>(more, ()).await.unwrap_err();
        assert!(matches!(refused, ReaderError::Query(QueryError::TooManyRows)), "{refused}");
        assert!(reader.get::<Thing>(&7).await.unwrap().is_some(), "the view answers on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_no_column_can_hold_is_the_askers_error() {
    let shelf = Shelf::with((0..3).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let refusals = [
        reader.get::<keys::ByU64>(&u64::MAX).await.map(drop),
        reader.get_many::<keys::ByU64>(&[1, u64::MAX]).await.map(drop),
        reader.page(Select::<keys::ByU64>::after_key(&u64::MAX)).await.map(drop),
        reader.page(Thing::by_weight(f64::NAN)).await.map(drop),
        reader.page(Thing::where_weight(f64::NAN)).await.map(drop),
        reader.query::<Thing>("WHERE id = $1", (u64::MAX,)).await.map(drop),
    ];
    for refused in refusals {
        assert!(refused.as_ref().is_err_and(ReaderError::is_invalid_input), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_another_read_model_is_refused_by_every_question() {
    let shelf = Shelf::with((0..3).map(thing)).await;
    let reader = &mut shelf.reader().await;
    let refusals = [
        reader.get::<support::Account>(&"ann".to_owned()).await.map(drop),
        reader.get_many::<support::Account>(&[]).await.map(drop),
        reader.page(Select::<support::Account>::all()).await.map(drop),
        reader.query::<support::Account>("", ()).await.map(drop),
        reader.all::<support::Account>().await.map(drop),
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(ReaderError::UnknownTable { .. })), "{refused:?}");
    }
}
