//! Rows, checkpoint, chain value and counts change together, or not at all.

use super::{
    Catalog,
    fixture::{
        ALL, Handle, INTEGER, STEPS_MAX, TEXT, amounts, ask, candidate, checkpoint_of, claim, commit,
        dropped_after, fitting, fold, ids, item, items, keys, make, open, said, sorted, spec, stamped,
        status, view,
    },
    tables::{ITEM, PAIR, Row, WORDS, schema},
};
use crate::{
    GenerationId, Tally, Value,
    backend::{Advance, DatabaseError, Purpose, Writer},
};
use annals_event::Sequence;

/// How many rows keep a database busy for a moment, and how long a text in each is.
const MANY: i64 = 1_000;
const NOTE_BYTES: usize = 2_000;

/// A row that breaks a constraint: an amount is not `NULL`.
fn broken(id: i64) -> Row {
    vec![Value::Integer(id), Value::Null, Value::Null]
}

pub async fn rows_checkpoint_chain_and_counts_change_together(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    for through in [1, 2, 10, 500] {
        let before = status(&other, id).await;
        let mut tx = writer.begin().await.unwrap();
        tx.write(&ITEM, ids([]), stamped(&ITEM, vec![item(1, 7)], 1)).await.unwrap();
        assert_eq!(status(&other, id).await, before, "nothing is seen before the commit");
        tx.commit(said(through)).await.unwrap();
        let after = status(&other, id).await;
        assert_eq!(fitting(&after), through);
        assert_eq!((after.epoch, after.parked, after.base), (before.epoch, before.parked, before.base));
        assert_eq!(*writer.status(), after, "the writer knows what it committed");
    }
    assert_eq!(amounts(&other, id).await, [(1, 7)]);
}

pub async fn a_checkpoint_moves_without_rows_and_the_greatest_counts_fit(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    let greatest = u64::try_from(i64::MAX).unwrap();
    let steps = [
        Advance { through: Sequence::new(5), chain: Some([0; 16]), applied: Tally::NONE },
        Advance { through: Sequence::new(6), chain: None, applied: Tally { count: 1, sum: 1 << 127 } },
        Advance {
            through: Sequence::new(greatest),
            chain: Some([255; 16]),
            applied: Tally { count: greatest, sum: u128::MAX },
        },
    ];
    for step in steps {
        let tx = writer.begin().await.unwrap();
        tx.commit(step).await.unwrap();
        let found = status(&on, id).await;
        assert_eq!((found.checkpoint, found.chain, found.applied), (step.through, step.chain, step.applied));
    }
}

pub async fn a_transaction_that_is_dropped_changes_nothing(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    fold(&mut writer, 2).await.unwrap();
    for _ in 0..3 {
        let mut tx = writer.begin().await.unwrap();
        tx.write(&ITEM, ids([1]), stamped(&ITEM, vec![item(2, 9), item(3, 9)], 3)).await.unwrap();
        drop(tx);
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 2);
    }
    fold(&mut writer, 3).await.unwrap();
    assert_eq!(amounts(&on, id).await, [(1, 1), (2, 1), (3, 1)]);
}

pub async fn a_transaction_that_is_rolled_back_changes_nothing(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    fold(&mut writer, 2).await.unwrap();
    for _ in 0..3 {
        let mut tx = writer.begin().await.unwrap();
        tx.write(&ITEM, ids([1]), stamped(&ITEM, vec![item(2, 9), item(3, 9)], 3)).await.unwrap();
        tx.roll_back().await.unwrap();
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 2);
    }
    fold(&mut writer, 3).await.unwrap();
    assert_eq!(amounts(&on, id).await, [(1, 1), (2, 1), (3, 1)]);
}

/// Writes what breaks a constraint, after what does not.
async fn commit_broken(writer: &mut Box<dyn Writer>) -> Result<(), DatabaseError> {
    let mut tx = writer.begin().await?;
    tx.write(&ITEM, ids([1]), stamped(&ITEM, vec![item(2, 9)], 3)).await?;
    tx.write(&ITEM, ids([]), stamped(&ITEM, vec![item(3, 9), broken(4), item(5, 9)], 3)).await?;
    tx.commit(said(3)).await
}

pub async fn a_row_that_its_table_refuses_takes_the_whole_batch_back(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    fold(&mut writer, 2).await.unwrap();
    for _ in 0..3 {
        let refused = commit_broken(&mut writer).await;
        assert!(matches!(refused, Err(DatabaseError::Data { .. })), "{refused:?}");
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 2);
    }
    fold(&mut writer, 3).await.unwrap();
    assert_eq!(checkpoint_of(&mut view(&on, id).await).await, 3);
}

pub async fn a_transaction_sees_what_it_wrote(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = make(&on, &spec(Purpose::Candidate), vec![item(1, 1), item(2, 2)]).await;
    let mut writer = claim(&on, id).await;
    let mut tx = writer.begin().await.unwrap();
    assert_eq!(sorted(tx.load(&ITEM, ids([3, 2, 1])).await.unwrap()), [item(1, 1), item(2, 2)]);
    tx.write(&ITEM, ids([1, 9]), stamped(&ITEM, vec![item(2, 20), item(3, 30)], 1)).await.unwrap();
    assert_eq!(sorted(tx.load(&ITEM, ids([1, 2, 3])).await.unwrap()), [item(2, 20), item(3, 30)]);
    tx.write(&ITEM, ids([3]), stamped(&ITEM, vec![item(1, 10)], 1)).await.unwrap();
    assert_eq!(sorted(tx.load(&ITEM, ids([1, 2, 3])).await.unwrap()), [item(1, 10), item(2, 20)]);
    tx.commit(said(1)).await.unwrap();
    assert_eq!(amounts(&on, id).await, [(1, 10), (2, 20)]);
}

pub async fn a_row_carries_the_sequence_number_it_was_written_with(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = make(&on, &spec(Purpose::Candidate), vec![item(1, 1), item(2, 2), item(3, 3)]).await;
    let mut writer = claim(&on, id).await;
    let mut tx = writer.begin().await.unwrap();
    tx.write(&ITEM, ids([]), stamped(&ITEM, vec![item(2, 2)], 8)).await.unwrap();
    tx.write(&ITEM, ids([]), stamped(&ITEM, vec![item(3, 30)], i64::MAX)).await.unwrap();
    tx.commit(said(9)).await.unwrap();
    let found: Vec<_> =
        items(&on, id).await.into_iter().map(|row| [row[0].clone(), row[3].clone()]).collect();
    assert_eq!(found, [[1, 1], [2, 8], [3, i64::MAX]].map(|row| row.map(Value::Integer)));
}

pub async fn a_transaction_begins_where_the_one_before_ended(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    for through in 1..20 {
        let before = writer.status().clone();
        let tx = writer.begin().await.unwrap();
        assert_eq!(*tx.status(), before);
        assert_eq!(tx.status().checkpoint.get(), through - 1);
        tx.roll_back().await.unwrap();
        fold(&mut writer, through).await.unwrap();
    }
}

/// Folds with so many other rows that none of the steps is over at once.
async fn fold_much(writer: &mut Box<dyn Writer>, through: u64) -> Result<(), DatabaseError> {
    let note = Value::Text("n".repeat(NOTE_BYTES));
    let part = Value::Text("p".to_owned());
    let row = |place| vec![Value::Integer(0), part.clone(), note.clone(), Value::Integer(place)];
    let sequence = i64::try_from(through).unwrap();
    let mut tx = writer.begin().await?;
    tx.write(&PAIR, keys(&PAIR, Vec::new()), stamped(&PAIR, (0..MANY).map(row).collect(), sequence)).await?;
    tx.write(&ITEM, ids([]), stamped(&ITEM, vec![item(sequence, 1)], sequence)).await?;
    tx.commit(said(through)).await
}

pub async fn a_batch_that_is_dropped_halfway_is_whole_or_absent(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    for wakes in 0..STEPS_MAX {
        let before = writer.status().checkpoint.get();
        let done = dropped_after(wakes, fold_much(&mut writer, before + 1)).await;
        let tx = writer.begin().await.unwrap();
        let settled = fitting(tx.status());
        tx.roll_back().await.unwrap();
        assert!((before..=before + 1).contains(&settled), "{before} became {settled}");
        assert_eq!(writer.status().checkpoint.get(), settled, "the writer knows what became of it");
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, settled);
        fold(&mut writer, settled + 1).await.unwrap();
        assert_eq!(checkpoint_of(&mut view(&on, id).await).await, settled + 1);
        if let Some(done) = done {
            done.unwrap();
            assert_eq!(settled, before + 1);
            return;
        }
    }
    panic!("not committed after {STEPS_MAX} steps");
}

pub async fn a_writer_that_is_closed_can_be_followed_by_another(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut epoch = status(&on, id).await.epoch;
    for through in 1..5 {
        let mut writer = claim(&on, id).await;
        assert!(writer.status().epoch > epoch, "whoever takes over raises the epoch");
        epoch = writer.status().epoch;
        assert_eq!(writer.status().checkpoint.get(), through - 1);
        fold(&mut writer, through).await.unwrap();
        writer.close().await.unwrap();
        assert_eq!(status(&on, id).await.epoch, epoch);
    }
}

/// How many indexes a table of a generation has.
async fn indexes(catalog: &Catalog, on: &Handle, id: GenerationId, table: &str) -> usize {
    let named = vec![Value::Text(table.to_owned())];
    view(on, id).await.query(catalog.indexes(), named, &[TEXT], ALL).await.unwrap().rows()
}

pub async fn what_is_live_has_its_indexes_at_once(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = make(&on, &spec(Purpose::Live), vec![item(1, 1)]).await;
    for table in [ITEM, WORDS] {
        assert_eq!(indexes(&catalog, &on, id, table.name).await, table.indexes.len());
    }
    claim(&on, id).await.finish(&schema()).await.unwrap();
    assert_eq!(indexes(&catalog, &on, id, ITEM.name).await, ITEM.indexes.len());
}

pub async fn a_candidate_has_its_indexes_when_it_is_finished(catalog: Catalog) {
    let on = open(&catalog).await;
    let id = candidate(&on).await;
    let mut writer = claim(&on, id).await;
    commit(&mut writer, 1, (0..100).map(|id| item(id, id % 7)).collect()).await.unwrap();
    for _ in 0..2 {
        writer.finish(&schema()).await.unwrap();
        for table in [ITEM, WORDS] {
            assert_eq!(indexes(&catalog, &on, id, table.name).await, table.indexes.len());
        }
    }
    commit(&mut writer, 2, vec![item(7, 7)]).await.unwrap();
    writer.close().await.unwrap();
    let mut again = claim(&on, id).await;
    again.finish(&schema()).await.unwrap();
    assert_eq!(indexes(&catalog, &on, id, ITEM.name).await, ITEM.indexes.len());
    let sql = "SELECT count(*) FROM item WHERE amount = 3";
    assert_eq!(ask(&mut view(&on, id).await, sql, &[INTEGER]).await, [[Value::Integer(14)]]);
}
