//! What is written comes back.

use super::{
    Catalog,
    fixture::{
        ALL, Handle, INTEGER, TEXT, ask, claim, ids, item, items, keys, make, number, open, said, sorted,
        spec, stamped, view,
    },
    tables::{ITEM, PAIR, Row, WORDS, cells, edges, holding, keyed_by, kinds, schema},
};
use crate::{
    ColumnKind, GenerationId, Value,
    backend::{Batch, DatabaseError, Purpose, Tx},
};

/// How many rows are many.
const MANY: i64 = 5_000;

/// Checks that a generation has these cells, by key and by query.
async fn has_cells(on: &Handle, id: GenerationId, kind: ColumnKind, cells: &[Row]) {
    let mut view = view(on, id).await;
    let table = holding(kind);
    let all = cells.iter().map(|row| vec![row[0].clone()]).collect();
    assert_eq!(sorted(view.get(&table, keys(&table, all)).await.unwrap()), cells, "by key");
    let sql = format!("SELECT id, cell FROM {} ORDER BY id", table.name);
    assert_eq!(ask(&mut view, &sql, &[INTEGER, kind]).await, cells, "by query");
}

pub async fn every_value_comes_back_through_a_build(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Live);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    for kind in kinds() {
        let table = holding(kind);
        build.write(&table, stamped(&table, cells(kind), 1)).await.unwrap();
    }
    build.finish().await.unwrap();
    for kind in kinds() {
        has_cells(&on, spec.id, kind, &cells(kind)).await;
    }
}

async fn upsert(tx: &mut Box<dyn Tx + '_>, kind: ColumnKind, cells: &[Row]) {
    let table = holding(kind);
    tx.write(&table, ids([]), stamped(&table, cells.to_vec(), 1)).await.unwrap();
    let all = ids(cells.iter().map(|row| number(&row[0])));
    assert_eq!(sorted(tx.load(&table, all).await.unwrap()), cells, "in the transaction");
}

pub async fn every_value_comes_back_through_a_transaction(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = make(&on, &spec(Purpose::Candidate), Vec::new()).await;
    let mut writer = claim(&on, id).await;
    let mut tx = writer.begin().await.unwrap();
    for kind in kinds() {
        upsert(&mut tx, kind, &cells(kind)).await;
    }
    tx.commit(said(1)).await.unwrap();
    for kind in kinds() {
        has_cells(&on, id, kind, &cells(kind)).await;
    }
}

pub async fn every_value_takes_the_place_of_another(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = make(&on, &spec(Purpose::Candidate), Vec::new()).await;
    let mut writer = claim(&on, id).await;
    for kind in kinds() {
        let mut cells = cells(kind);
        for round in 0..3 {
            let checkpoint = writer.status().checkpoint.get();
            let mut tx = writer.begin().await.unwrap();
            upsert(&mut tx, kind, &cells).await;
            tx.commit(said(checkpoint + 1)).await.unwrap();
            has_cells(&on, id, kind, &cells).await;
            let first = cells[0][1].clone();
            for at in 1..cells.len() {
                cells[at - 1][1] = cells[at][1].clone();
            }
            cells.last_mut().unwrap()[1] = if round == 0 { Value::Null } else { first };
        }
    }
}

pub async fn every_key_finds_its_row(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = make(&on, &spec(Purpose::Candidate), Vec::new()).await;
    let mut writer = claim(&on, id).await;
    let mut tx = writer.begin().await.unwrap();
    for kind in kinds() {
        let Some(table) = keyed_by(kind) else { continue };
        let rows: Vec<Row> = (0..).zip(edges(kind)).map(|(at, key)| vec![key, Value::Integer(at)]).collect();
        tx.write(&table, keys(&table, Vec::new()), stamped(&table, rows.clone(), 1)).await.unwrap();
        for row in &rows {
            let found = tx.load(&table, keys(&table, vec![vec![row[0].clone()]])).await.unwrap();
            assert_eq!(sorted(found), std::slice::from_ref(row));
        }
        let gone = vec![vec![rows[1][0].clone()], vec![rows[4][0].clone()]];
        tx.write(&table, keys(&table, gone), stamped(&table, Vec::new(), 1)).await.unwrap();
        let all = rows.iter().map(|row| vec![row[0].clone()]).collect();
        let mut left: Vec<_> = tx.load(&table, keys(&table, all)).await.unwrap().into_rows().collect();
        left.sort_by_key(|row| number(&row[1]));
        let wanted: Vec<_> = [&rows[..1], &rows[2..4], &rows[5..]].concat();
        assert_eq!(left, wanted, "{kind:?}: two keys were deleted");
    }
    tx.commit(said(1)).await.unwrap();
}

pub async fn every_value_finds_its_rows_as_a_parameter(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Live);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    for kind in kinds() {
        build.write(&holding(kind), stamped(&holding(kind), cells(kind), 1)).await.unwrap();
    }
    build.finish().await.unwrap();
    let mut view = view(&on, spec.id).await;
    for kind in kinds() {
        let cells = cells(kind);
        let sql = format!("SELECT id FROM {} WHERE cell = $1 ORDER BY id", holding(kind).name);
        for row in cells.iter().filter(|row| row[1] != Value::Null) {
            let found = view.query(&sql, vec![row[1].clone()], &[INTEGER], ALL).await.unwrap();
            let equal = cells.iter().filter(|other| other[1] == row[1]);
            let wanted: Vec<Row> = equal.map(|other| vec![other[0].clone()]).collect();
            assert_eq!(found.into_rows().collect::<Vec<_>>(), wanted, "{row:?}");
        }
    }
}

pub async fn text_with_a_nul_comes_back_or_is_an_error_of_the_data(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Candidate);
    let row = vec![Value::Integer(1), Value::Integer(2), Value::Text("a\0b".to_owned())];
    let mut build = on.create(&spec).await.unwrap().unwrap();
    match build.write(&ITEM, stamped(&ITEM, vec![row.clone()], 1)).await {
        Ok(()) => build.finish().await.unwrap(),
        Err(DatabaseError::Data { .. }) => {
            drop(build);
            make(&on, &spec, Vec::new()).await;
        }
        Err(other) => panic!("{other:?}"),
    }
    let mut writer = claim(&on, spec.id).await;
    let mut tx = writer.begin().await.unwrap();
    match tx.write(&ITEM, ids([]), stamped(&ITEM, vec![row.clone()], 1)).await {
        Ok(()) => {
            tx.commit(said(1)).await.unwrap();
            let mut view = view(&on, spec.id).await;
            assert_eq!(sorted(view.get(&ITEM, ids([1])).await.unwrap()), [row]);
        }
        Err(DatabaseError::Data { .. }) => {
            drop(tx);
            assert_eq!(items(&on, spec.id).await, Vec::<Row>::new());
        }
        Err(other) => panic!("{other:?}"),
    }
}

pub async fn names_that_are_words_of_sql_are_only_names(catalog: Catalog) {
    let on = open(&catalog).await;
    let row = |group| vec![Value::Text("from".to_owned()), Value::Integer(group)];
    let key = || keys(&WORDS, vec![vec![Value::Text("from".to_owned())]]);
    let spec = spec(Purpose::Candidate);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&WORDS, stamped(&WORDS, vec![row(1)], 1)).await.unwrap();
    build.finish().await.unwrap();
    let mut writer = claim(&on, spec.id).await;
    let mut tx = writer.begin().await.unwrap();
    tx.write(&WORDS, keys(&WORDS, Vec::new()), stamped(&WORDS, vec![row(2)], 1)).await.unwrap();
    assert_eq!(sorted(tx.load(&WORDS, key()).await.unwrap()), [row(2)]);
    tx.write(&WORDS, key(), stamped(&WORDS, Vec::new(), 1)).await.unwrap();
    tx.write(&WORDS, keys(&WORDS, Vec::new()), stamped(&WORDS, vec![row(3)], 1)).await.unwrap();
    tx.commit(said(1)).await.unwrap();
    writer.finish(&schema()).await.unwrap();
    let mut view = view(&on, spec.id).await;
    assert_eq!(sorted(view.get(&WORDS, key()).await.unwrap()), [row(3)]);
    let found = ask(&mut view, "SELECT \"select\", \"group\" FROM \"order\"", &[TEXT, INTEGER]).await;
    assert_eq!(found, [row(3)]);
}

pub async fn key_columns_may_stand_anywhere_in_a_table(catalog: Catalog) {
    let row = |part: &str, place, amount| {
        vec![Value::Integer(amount), Value::Text(part.to_owned()), Value::Null, Value::Integer(place)]
    };
    let key = |part: &str, place| vec![Value::Text(part.to_owned()), Value::Integer(place)];
    let on = open(&catalog).await;
    let spec = spec(Purpose::Live);
    let rows = vec![row("a", 1, 10), row("a", 2, 20), row("b", 1, 30), row("", 12, 40), row("1", 2, 50)];
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&PAIR, stamped(&PAIR, rows, 1)).await.unwrap();
    build.finish().await.unwrap();
    let mut writer = claim(&on, spec.id).await;
    let mut tx = writer.begin().await.unwrap();
    let wanted = keys(&PAIR, vec![key("b", 1), key("a", 2), key("b", 2), key("1", 1)]);
    assert_eq!(sorted(tx.load(&PAIR, wanted).await.unwrap()), [row("a", 2, 20), row("b", 1, 30)]);
    let deletes = keys(&PAIR, vec![key("a", 1), key("1", 2), key("b", 7)]);
    let upserts = vec![row("b", 2, 60), row("a", 2, 21)];
    tx.write(&PAIR, deletes, stamped(&PAIR, upserts, 2)).await.unwrap();
    tx.commit(said(2)).await.unwrap();
    let sql = "SELECT amount, part, note, place FROM pair ORDER BY amount";
    let left = ask(&mut view(&on, spec.id).await, sql, &[INTEGER, TEXT, TEXT, INTEGER]).await;
    assert_eq!(left, [row("a", 2, 21), row("b", 1, 30), row("", 12, 40), row("b", 2, 60)]);
}

pub async fn thousands_of_rows_are_written_and_found_at_once(catalog: Catalog) {
    let rows = |range: std::ops::Range<i64>, amount| range.map(|id| item(id, amount)).collect::<Vec<Row>>();
    let on = open(&catalog).await;
    let spec = spec(Purpose::Candidate);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&ITEM, stamped(&ITEM, rows(0..MANY, 0), 1)).await.unwrap();
    build.write(&ITEM, stamped(&ITEM, rows(MANY..MANY + 3, 0), 1)).await.unwrap();
    build.finish().await.unwrap();
    let mut writer = claim(&on, spec.id).await;
    let mut tx = writer.begin().await.unwrap();
    let half = MANY / 2;
    assert_eq!(tx.load(&ITEM, ids(-MANY..MANY)).await.unwrap().rows(), usize::try_from(MANY).unwrap());
    tx.write(&ITEM, ids(0..half), stamped(&ITEM, rows(half..half + MANY, 7), 2)).await.unwrap();
    tx.commit(said(2)).await.unwrap();
    let mut view = view(&on, spec.id).await;
    let wanted = rows(half..half + MANY, 7);
    assert_eq!(sorted(view.get(&ITEM, ids(0..2 * MANY)).await.unwrap()), wanted);
    let found = ask(&mut view, "SELECT count(*), min(id), max(amount) FROM item", &[INTEGER; 3]).await;
    assert_eq!(found, [[MANY, half, 7].map(Value::Integer)]);
}

pub async fn a_batch_of_no_rows_is_nothing(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Live);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&ITEM, stamped(&ITEM, Vec::new(), 1)).await.unwrap();
    build.finish().await.unwrap();
    let mut writer = claim(&on, spec.id).await;
    let mut tx = writer.begin().await.unwrap();
    tx.write(&ITEM, ids([]), stamped(&ITEM, Vec::new(), 1)).await.unwrap();
    assert!(tx.load(&ITEM, ids([])).await.unwrap().is_empty());
    assert!(tx.load(&ITEM, ids([1])).await.unwrap().is_empty());
    tx.commit(said(1)).await.unwrap();
    let mut view = view(&on, spec.id).await;
    assert!(view.get(&ITEM, ids([])).await.unwrap().is_empty());
    let none: Batch = view.query("SELECT id FROM item", Vec::new(), &[INTEGER], ALL).await.unwrap();
    assert_eq!(none.rows(), 0);
}
