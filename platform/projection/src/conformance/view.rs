//! A view is one state of one generation, whatever is written meanwhile.

use super::{
    Catalog,
    fixture::{
        ALL, INTEGER, TEXT, after, amounts, ask, candidate, checkpoint_of, claim, commit, first_live, fold,
        ids, item, keys, live_view, make, open, pointing, retiring, said, slot, sorted, spec, spec_in,
        stamped, view,
    },
    tables::{ITEM, PAIR, Row, holding, other_item, other_schema, other_schema_hash, schema},
};
use crate::{
    ColumnKind, Value,
    backend::{Change, DatabaseError, GenerationSpec, GenerationState, Live, Purpose, Slot, Target, View},
};

/// How many views are open at once.
const VIEWS: u64 = 8;

pub async fn a_view_sees_what_was_committed_before_it_and_no_more(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let live = first_live(&on).await;
    let mut writer = claim(&on, live.generation).await;
    let mut views = Vec::new();
    for through in 0..VIEWS {
        views.push((through, live_view(&other).await));
        views.push((through, view(&on, live.generation).await));
        fold(&mut writer, through + 1).await.unwrap();
        for (sees, view) in &mut views {
            assert_eq!(checkpoint_of(view).await, *sees);
            assert_eq!(view.generation(), live.generation);
        }
    }
    assert_eq!(checkpoint_of(&mut live_view(&other).await).await, VIEWS);
}

pub async fn a_view_stays_when_its_generation_is_replaced_and_retired(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let first = first_live(&on).await;
    fold(&mut claim(&on, first.generation).await, 3).await.unwrap();
    let mut old = live_view(&other).await;
    let next = candidate(&on).await;
    fold(&mut claim(&on, next).await, 4).await.unwrap();
    let fence = on.fence(&slot(), first.generation).await.unwrap();
    let now = after(first, next);
    fence.flip(&pointing(Some(first), now)).await.unwrap();
    assert_eq!(checkpoint_of(&mut old).await, 3);
    fold(&mut claim(&on, first.generation).await, 9).await.unwrap();
    let alone = Live { previous: None, epoch: now.epoch + 1, ..now };
    let change = Change { retire: vec![first.generation], ..pointing(Some(now), alone) };
    on.change(&change).await.unwrap();
    let entries = on.generations(&slot()).await.unwrap();
    let entry = entries.iter().find(|entry| entry.id == first.generation).unwrap();
    assert_eq!(entry.state, GenerationState::Retired);
    assert_eq!((checkpoint_of(&mut old).await, old.generation()), (3, first.generation));
    assert_eq!(checkpoint_of(&mut live_view(&other).await).await, 4);
    assert_eq!(checkpoint_of(&mut view(&other, first.generation).await).await, 9);
}

pub async fn an_open_view_holds_up_neither_writer_nor_change(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let first = first_live(&on).await;
    let mut held = live_view(&other).await;
    let mut held_too = live_view(&on).await;
    let next = candidate(&on).await;
    let mut writer = claim(&on, first.generation).await;
    commit(&mut writer, 1, (0..500).map(|id| item(id, id)).collect()).await.unwrap();
    writer.finish(&schema()).await.unwrap();
    let mut candidate = claim(&on, next).await;
    fold(&mut candidate, 1).await.unwrap();
    candidate.finish(&schema()).await.unwrap();
    let fence = on.fence(&slot(), first.generation).await.unwrap();
    fence.flip(&pointing(Some(first), after(first, next))).await.unwrap();
    on.change(&retiring(Some(after(first, next)), &[first.generation])).await.unwrap();
    assert_eq!((checkpoint_of(&mut held).await, checkpoint_of(&mut held_too).await), (0, 0));
}

pub async fn rows_are_found_by_their_keys(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Live);
    let pair = vec![Value::Integer(1), Value::Text("a".to_owned()), Value::Null, Value::Integer(2)];
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&ITEM, stamped(&ITEM, (0..10).map(|id| item(id, -id)).collect(), 1)).await.unwrap();
    build.write(&PAIR, stamped(&PAIR, vec![pair.clone()], 1)).await.unwrap();
    build.finish().await.unwrap();
    let mut view = view(&on, spec.id).await;
    assert_eq!(sorted(view.get(&ITEM, ids([7, 100, 3, -1])).await.unwrap()), [item(3, -3), item(7, -7)]);
    assert!(view.get(&ITEM, ids([100])).await.unwrap().is_empty());
    let null = keys(&ITEM, vec![vec![Value::Null], vec![Value::Integer(5)]]);
    assert_eq!(sorted(view.get(&ITEM, null).await.unwrap()), [item(5, -5)]);
    let (part, place) = (Value::Text("a".to_owned()), Value::Integer(2));
    let nulls = vec![vec![part.clone(), Value::Null], vec![Value::Null, place.clone()]];
    assert!(view.get(&PAIR, keys(&PAIR, nulls)).await.unwrap().is_empty());
    let found = view.get(&PAIR, keys(&PAIR, vec![vec![part, place]])).await.unwrap();
    assert_eq!(found.into_rows().collect::<Vec<_>>(), [pair]);
}

/// A view of a generation whose items are 0 to 9, with the tenth of amounts that are not there.
async fn of_ten(catalog: &Catalog) -> Box<dyn View> {
    let on = open(catalog).await;
    let note = |id: i64| if id % 2 == 0 { Value::Null } else { Value::Text(format!("note {id}")) };
    let rows = (0..10).map(|id| vec![Value::Integer(id), Value::Integer(10 * id), note(id)]).collect();
    let id = make(&on, &spec(Purpose::Live), rows).await;
    view(&on, id).await
}

async fn with(view: &mut Box<dyn View>, sql: &str, values: Vec<Value>) -> Vec<Row> {
    view.query(sql, values, &[INTEGER], ALL).await.unwrap().into_rows().collect()
}

fn integers(rows: &[i64]) -> Vec<Row> {
    rows.iter().map(|number| vec![Value::Integer(*number)]).collect()
}

pub async fn parameters_stand_for_values(catalog: Catalog) {
    let mut view = of_ten(&catalog).await;
    let (three, fifty) = (Value::Integer(3), Value::Integer(50));
    let between = "SELECT id FROM item WHERE id >= $1 AND amount < $2 ORDER BY id";
    assert_eq!(with(&mut view, between, vec![three.clone(), fifty.clone()]).await, integers(&[3, 4]));
    let turned = "SELECT id FROM item WHERE amount < $2 AND id >= $1 ORDER BY id";
    assert_eq!(with(&mut view, turned, vec![three.clone(), fifty]).await, integers(&[3, 4]));
    let twice = "SELECT id FROM item WHERE id = $1 OR amount = $1 * 10 ORDER BY id";
    assert_eq!(with(&mut view, twice, vec![three]).await, integers(&[3]));
    let hostile = Value::Text("x' OR '1' = '1".to_owned());
    let text = "SELECT id FROM item WHERE note = $1 ORDER BY id";
    assert_eq!(with(&mut view, text, vec![hostile]).await, integers(&[]));
    assert_eq!(with(&mut view, text, vec![Value::Text("note 7".to_owned())]).await, integers(&[7]));
    let quoted = "SELECT id FROM item WHERE note = '$1' OR id = $1 ORDER BY id";
    assert_eq!(with(&mut view, quoted, vec![Value::Integer(4)]).await, integers(&[4]));
}

pub async fn a_parameter_may_be_null(catalog: Catalog) {
    let mut view = of_ten(&catalog).await;
    let equal = "SELECT id FROM item WHERE note = $1";
    assert_eq!(with(&mut view, equal, vec![Value::Null]).await, integers(&[]));
    let number = "SELECT id FROM item WHERE amount = $1";
    assert_eq!(with(&mut view, number, vec![Value::Null]).await, integers(&[]));
    assert_eq!(with(&mut view, number, vec![Value::Integer(30)]).await, integers(&[3]));
    let first = "SELECT id FROM item WHERE id > coalesce($1, 7) ORDER BY id";
    assert_eq!(with(&mut view, first, vec![Value::Null]).await, integers(&[8, 9]));
    assert_eq!(with(&mut view, first, vec![Value::Integer(8)]).await, integers(&[9]));
}

pub async fn a_question_that_is_wrong_is_denied(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = make(&on, &spec(Purpose::Live), vec![item(1, 1)]).await;
    let wrong =
        ["SELEKT 1", "SELECT missing FROM item", "SELECT id FROM missing", "SELECT id FROM item WHERE", "'"];
    for sql in wrong {
        for target in [Target::Live, Target::Generation(id)] {
            let Ok(mut view) = on.view(&slot(), target).await else { continue };
            let found = view.query(sql, Vec::new(), &[INTEGER], ALL).await;
            assert!(matches!(found, Err(DatabaseError::Denied { .. })), "{sql}: {found:?}");
        }
    }
}

pub async fn what_is_not_what_was_wanted_comes_as_it_is(catalog: Catalog) {
    let on = open(&catalog).await;
    let rows = vec![vec![Value::Integer(1), Value::Integer(2), Value::Text("n".to_owned())], item(3, 4)];
    let id = make(&on, &spec(Purpose::Live), rows).await;
    let mut view = view(&on, id).await;
    let (one, two, note) = (Value::Integer(1), Value::Integer(2), Value::Text("n".to_owned()));
    let cases: [(&str, &[ColumnKind], Row); 6] = [
        ("SELECT id FROM item ORDER BY id", &[TEXT], vec![one.clone()]),
        ("SELECT note FROM item ORDER BY id", &[INTEGER], vec![note.clone()]),
        ("SELECT note FROM item ORDER BY id", &[ColumnKind::Blob], vec![note.clone()]),
        ("SELECT id, amount FROM item ORDER BY id", &[INTEGER], vec![one.clone(), two]),
        ("SELECT id FROM item ORDER BY id", &[INTEGER, TEXT], vec![one.clone()]),
        ("SELECT id, note FROM item ORDER BY id", &[], vec![one, note]),
    ];
    for (sql, wanted, first) in cases {
        let found = view.query(sql, Vec::new(), wanted, ALL).await.unwrap();
        assert_eq!(found.columns().len(), first.len(), "{sql} as {wanted:?}");
        assert_eq!(found.into_rows().next(), Some(first), "{sql} as {wanted:?}");
    }
    let nulls = ask(&mut view, "SELECT note, id FROM item WHERE id = 3", &[TEXT, INTEGER]).await;
    assert_eq!(nulls, [[Value::Null, Value::Integer(3)]]);
}

pub async fn sums_and_counts_of_integers_are_integers(catalog: Catalog) {
    let mut view = of_ten(&catalog).await;
    let all = "SELECT sum(amount), count(*), min(id), max(amount), count(note) FROM item";
    let found = ask(&mut view, all, &[INTEGER; 5]).await;
    assert_eq!(found, [[450, 10, 0, 90, 5].map(Value::Integer)]);
    let grouped = "SELECT id % 3, sum(amount) FROM item GROUP BY id % 3 ORDER BY 1";
    let found = ask(&mut view, grouped, &[INTEGER; 2]).await;
    assert_eq!(found, [[0, 180], [1, 120], [2, 150]].map(|row| row.map(Value::Integer)));
    let none = "SELECT sum(amount), count(*) FROM item WHERE id > 100";
    assert_eq!(ask(&mut view, none, &[INTEGER; 2]).await, [[Value::Null, Value::Integer(0)]]);
    let large = "SELECT sum(amount + 100000000000000000) FROM item";
    assert_eq!(ask(&mut view, large, &[INTEGER]).await, integers(&[1_000_000_000_000_000_450]));
}

pub async fn sums_of_reals_are_reals(catalog: Catalog) {
    let on = open(&catalog).await;
    let table = holding(ColumnKind::Real);
    let spec = spec(Purpose::Live);
    let reals = [0.5, 0.25, 2.0];
    let rows = (0..).zip(reals).map(|(id, real)| vec![Value::Integer(id), Value::Real(real)]).collect();
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&table, stamped(&table, rows, 1)).await.unwrap();
    build.finish().await.unwrap();
    let sql = format!("SELECT sum(cell), max(cell), avg(id) FROM {}", table.name);
    let found = ask(&mut view(&on, spec.id).await, &sql, &[ColumnKind::Real; 3]).await;
    assert_eq!(found, [[2.75, 2.0, 1.0].map(Value::Real)]);
}

pub async fn a_question_may_join_tables_by_their_plain_names(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Live);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    let pair = |part: &str, place| {
        vec![Value::Integer(0), Value::Text(part.to_owned()), Value::Null, Value::Integer(place)]
    };
    build.write(&ITEM, stamped(&ITEM, (0..5).map(|id| item(id, id * id)).collect(), 3)).await.unwrap();
    build.write(&PAIR, stamped(&PAIR, vec![pair("a", 2), pair("b", 3), pair("a", 9)], 4)).await.unwrap();
    build.finish().await.unwrap();
    let sql = "SELECT p.part, i.amount, p.annals_sequence FROM pair AS p JOIN item AS i ON i.id = p.place
        WHERE i.amount > $1 ORDER BY p.part";
    let mut view = view(&on, spec.id).await;
    let found = view.query(sql, vec![Value::Integer(0)], &[TEXT, INTEGER, INTEGER], ALL).await.unwrap();
    let row =
        |part: &str, amount| vec![Value::Text(part.to_owned()), Value::Integer(amount), Value::Integer(4)];
    assert_eq!(found.into_rows().collect::<Vec<_>>(), [row("a", 4), row("b", 9)]);
}

pub async fn no_more_rows_are_read_than_are_asked_for(catalog: Catalog) {
    let mut view = of_ten(&catalog).await;
    let sql = "SELECT id FROM item ORDER BY id";
    for rows_max in [1, 2, 9, 10, 11, ALL] {
        let found = view.query(sql, Vec::new(), &[INTEGER], rows_max).await.unwrap();
        let wanted: Vec<_> = (0..10).take(rows_max).collect();
        assert_eq!(found.into_rows().collect::<Vec<_>>(), integers(&wanted));
    }
    assert_eq!(ask(&mut view, "SELECT count(*) FROM item", &[INTEGER]).await, integers(&[10]));
}

pub async fn a_view_writes_nothing(catalog: Catalog) {
    let on = open(&catalog).await;
    let live = first_live(&on).await;
    let mut writer = claim(&on, live.generation).await;
    commit(&mut writer, 1, vec![item(1, 1), item(2, 2)]).await.unwrap();
    let writes = [
        "INSERT INTO item (id, amount, annals_sequence) VALUES (3, 3, 3)",
        "INSERT INTO item (id, amount, annals_sequence) VALUES (3, 3, 3) RETURNING id",
        "UPDATE item SET amount = 0 RETURNING id",
        "DELETE FROM item",
        "DELETE FROM item RETURNING id",
        "DROP TABLE item",
        "CREATE TABLE more (id bigint)",
        "SELECT id FROM item; DELETE FROM item",
        "COMMIT; DELETE FROM item",
    ];
    for sql in writes {
        for target in [Target::Live, Target::Generation(live.generation)] {
            let mut view = on.view(&slot(), target).await.unwrap();
            // Of several statements a database may read the first alone; none of them changes anything.
            let done = view.query(sql, Vec::new(), &[INTEGER], ALL).await;
            assert!(done.is_err() || sql.contains(';'), "{sql}: {done:?}");
        }
        assert_eq!(amounts(&on, live.generation).await, [(1, 1), (2, 2)], "{sql}");
    }
    commit(&mut writer, 2, vec![item(3, 3)]).await.unwrap();
}

pub async fn one_text_finds_the_columns_and_rows_of_each_generation(catalog: Catalog) {
    let on = open(&catalog).await;
    let (a, b) = (spec(Purpose::Live), spec(Purpose::Candidate));
    make(&on, &a, vec![item(1, 10)]).await;
    make(&on, &b, vec![item(1, 11), item(2, 22)]).await;
    let other = Slot { schema: other_schema_hash(), ..slot() };
    let mut c = GenerationSpec { schema: other_schema(), ..spec_in(other.clone(), Purpose::Live) };
    c.status.schema_hash = other_schema_hash();
    let (table, x) = (other_item(), Value::Text("x".to_owned()));
    let mut build = on.create(&c).await.unwrap().unwrap();
    build.write(&table, stamped(&table, vec![vec![x.clone(), Value::Null]], 1)).await.unwrap();
    build.finish().await.unwrap();
    let sql = "SELECT id FROM item ORDER BY id";
    for _ in 0..5 {
        assert_eq!(ask(&mut view(&on, a.id).await, sql, &[INTEGER]).await, integers(&[1]));
        let mut viewed = on.view(&other, Target::Generation(c.id)).await.unwrap();
        assert_eq!(ask(&mut viewed, sql, &[TEXT]).await, [std::slice::from_ref(&x)]);
        assert_eq!(ask(&mut view(&on, b.id).await, sql, &[INTEGER]).await, integers(&[1, 2]));
    }
}

pub async fn many_views_are_open_at_once(catalog: Catalog) {
    let on = open(&catalog).await;
    let live = first_live(&on).await;
    let mut writer = claim(&on, live.generation).await;
    let mut views = Vec::new();
    for through in 1..=VIEWS {
        let mut tx = writer.begin().await.unwrap();
        tx.write(&ITEM, ids([]), stamped(&ITEM, vec![item(0, i64::try_from(through).unwrap())], 1))
            .await
            .unwrap();
        tx.commit(said(through)).await.unwrap();
        views.push(live_view(&on).await);
    }
    let sql = "SELECT amount FROM item";
    for (through, view) in (1..).zip(&mut views) {
        assert_eq!(ask(view, sql, &[INTEGER]).await, integers(&[through]));
    }
}
