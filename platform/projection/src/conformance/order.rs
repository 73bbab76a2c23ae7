//! Rows stand in the order of their keys: numbers by value, text and bytes by their bytes.

use super::{
    Catalog,
    fixture::{ALL, Handle, INTEGER, TEXT, ask, open, spec, stamped, view},
    tables::{PAIR, Row, compare, edges, holding, keyed_by, kinds},
};
use crate::{ColumnKind, GenerationId, Value, backend::Purpose};

/// How many rows a page has.
const PAGE: usize = 3;

/// A generation whose tables by key hold each key, and whose other tables hold each value, both from the last to the first.
async fn filled(on: &Handle) -> GenerationId {
    let spec = spec(Purpose::Live);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    for kind in kinds() {
        let values = || (0..).zip(edges(kind).into_iter().rev());
        let cells = values().map(|(id, value)| vec![Value::Integer(id), value]).collect();
        build.write(&holding(kind), stamped(&holding(kind), cells, 1)).await.unwrap();
        if let Some(table) = keyed_by(kind) {
            let rows = values().map(|(place, key)| vec![key, Value::Integer(place)]).collect();
            build.write(&table, stamped(&table, rows, 1)).await.unwrap();
        }
    }
    build.write(&PAIR, stamped(&PAIR, pairs().into_iter().rev().collect(), 1)).await.unwrap();
    build.finish().await.unwrap();
    spec.id
}

fn in_order(kind: ColumnKind) -> Vec<Row> {
    let mut values = edges(kind);
    values.sort_by(compare);
    values.into_iter().map(|value| vec![value]).collect()
}

/// In the order of their keys, which their amounts say, too.
fn pairs() -> Vec<Row> {
    let parts = ["", "10", "9", "B", "a", "a ", "ab", "é", "\u{fffd}", "\u{1f600}"];
    let places = [i64::MIN, -10, -9, 0, 9, 10, i64::MAX];
    let keys = parts.into_iter().flat_map(|part| places.map(|place| (part, place)));
    let row = |(amount, (part, place)): (i64, (&str, i64))| {
        vec![Value::Integer(amount), Value::Text(part.to_owned()), Value::Null, Value::Integer(place)]
    };
    (0..).zip(keys).map(row).collect()
}

pub async fn keys_stand_in_their_order(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut view = view(&on, filled(&on).await).await;
    for kind in kinds() {
        let Some(table) = keyed_by(kind) else { continue };
        let mut wanted = in_order(kind);
        let sql = format!("SELECT cell FROM {} ORDER BY cell", table.name);
        assert_eq!(ask(&mut view, &sql, &[kind]).await, wanted);
        wanted.reverse();
        assert_eq!(ask(&mut view, &format!("{sql} DESC"), &[kind]).await, wanted);
    }
}

pub async fn values_that_are_no_keys_stand_in_their_order_too(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut view = view(&on, filled(&on).await).await;
    for kind in kinds() {
        let wanted = in_order(kind);
        let sql = format!("SELECT cell FROM {} ORDER BY cell, id", holding(kind).name);
        assert_eq!(ask(&mut view, &sql, &[kind]).await, wanted);
        if kind != ColumnKind::Blob {
            let ends = format!("SELECT min(cell), max(cell) FROM {}", holding(kind).name);
            let wanted = [wanted[0][0].clone(), wanted[wanted.len() - 1][0].clone()];
            assert_eq!(ask(&mut view, &ends, &[kind, kind]).await, [wanted]);
        }
    }
}

pub async fn keys_of_several_columns_stand_in_their_order(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut view = view(&on, filled(&on).await).await;
    let sql = "SELECT amount, part, note, place FROM pair ORDER BY part, place";
    assert_eq!(ask(&mut view, sql, &[INTEGER, TEXT, TEXT, INTEGER]).await, pairs());
}

pub async fn comparing_a_value_agrees_with_the_order(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut view = view(&on, filled(&on).await).await;
    for kind in kinds() {
        let sql = format!("SELECT cell FROM {} WHERE cell > $1 ORDER BY cell", holding(kind).name);
        let all = in_order(kind);
        for row in &all {
            let found = view.query(&sql, row.clone(), &[kind], ALL).await.unwrap();
            let greater = all.iter().filter(|other| compare(&other[0], &row[0]).is_gt());
            assert_eq!(found.into_rows().collect::<Vec<_>>(), greater.cloned().collect::<Vec<_>>());
        }
    }
}

pub async fn pages_by_key_add_up(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut view = view(&on, filled(&on).await).await;
    for kind in kinds() {
        let Some(table) = keyed_by(kind) else { continue };
        let all = in_order(kind);
        let sql = format!("SELECT cell FROM {} WHERE (cell) > ($1) ORDER BY cell", table.name);
        let mut seen = all[..1].to_vec();
        while seen.len() < all.len() {
            let last = seen[seen.len() - 1].clone();
            let page = view.query(&sql, last, &[kind], PAGE).await.unwrap();
            assert_eq!(page.rows(), PAGE.min(all.len() - seen.len()));
            seen.extend(page.into_rows());
        }
        assert_eq!(seen, all);
    }
}

pub async fn pages_by_a_key_of_several_columns_add_up(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut view = view(&on, filled(&on).await).await;
    let all = pairs();
    let sql =
        "SELECT amount, part, note, place FROM pair WHERE (part, place) > ($1, $2) ORDER BY part, place";
    let mut seen = all[..1].to_vec();
    while seen.len() < all.len() {
        let last = &seen[seen.len() - 1];
        let key = vec![last[1].clone(), last[3].clone()];
        let page = view.query(sql, key, &[INTEGER, TEXT, TEXT, INTEGER], PAGE).await.unwrap();
        assert_eq!(page.rows(), PAGE.min(all.len() - seen.len()));
        seen.extend(page.into_rows());
    }
    assert_eq!(seen, all);
}
