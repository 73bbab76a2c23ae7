//! What the same events cost without Annals: the plain loop of a careful user, and the bare database fed with folded rows.

use super::{
    database::{Bare, Database, Folded},
    payments::{Captured, CustomerValue},
};
use crate::measure::{rate, timed};
use annals_event::{EventRef, Sequence, decode};
use annals_store::{EventStore, Filter, Subscribe};
use anyhow::{Context, Result, ensure};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

/// How many events a transaction of the plain loop has.
const PLAIN_TRANSACTION: usize = 1_000;

/// The batches that a fold wrote: where each ended, and the rows that it wrote.
type Batches = Vec<(i64, Vec<Folded>)>;

/// Some events of a log.
pub(crate) struct Slice {
    pub(crate) skipped: usize,
    pub(crate) events: usize,
}

/// Events a second of the plain loop over `slice`: one upsert an event. The table has the rows of the events before.
pub(crate) async fn plain(
    store: &dyn EventStore,
    database: Database,
    folder: &Path,
    slice: &Slice,
) -> Result<f64> {
    let (first, last) = (sequence(slice.skipped)?, sequence(slice.skipped + slice.events)?);
    let folder = tempfile::tempdir_in(folder)?;
    let mut bare = database.bare(folder.path()).await?;
    for (through, rows) in folded(store, &[first]).await? {
        feed(&mut *bare, through, &rows).await?;
    }
    let before = bare.payments().await?;
    let (done, spent) = timed(plain_loop(store, &mut *bare, first, last)).await;
    let payments = bare.payments().await? - before;
    ensure!(usize::try_from(payments)? == done? && usize::try_from(payments)? == slice.events);
    bare.close().await?;
    Ok(rate(slice.events, spent))
}

async fn plain_loop(
    store: &dyn EventStore,
    bare: &mut dyn Bare,
    after: Sequence,
    last: Sequence,
) -> Result<usize> {
    let mut subscription = store.subscribe(Subscribe::after(after, Filter::all())).await?;
    let (mut done, mut through) = (0, after);
    bare.begin().await?;
    while through < last {
        let delivery = subscription.next().await?;
        for event in delivery.events.iter().take_while(|event| event.sequence() <= last) {
            let captured = captured(&event)?;
            bare.add(&captured, signed(event.sequence())?).await?;
            done += 1;
            if done % PLAIN_TRANSACTION == 0 {
                bare.commit(signed(event.sequence())?).await?;
                bare.begin().await?;
            }
        }
        through = delivery.through;
    }
    bare.commit(signed(last)?).await?;
    Ok(done)
}

/// Events a second of the bare database, with the rows that a fold of the log wrote in batches up to these places.
pub(crate) async fn bulk(
    store: &dyn EventStore,
    database: Database,
    folder: &Path,
    places: &[Sequence],
) -> Result<f64> {
    let batches = folded(store, places).await?;
    let folder = tempfile::tempdir_in(folder)?;
    let mut bare = database.bare(folder.path()).await?;
    let work = async {
        for (through, rows) in &batches {
            feed(&mut *bare, *through, rows).await?;
        }
        let payments = bare.payments().await?;
        bare.close().await.map(|()| payments)
    };
    let (payments, spent) = timed(work).await;
    let events = usize::try_from(payments?)?;
    let head = places.last().context("nothing was folded")?;
    ensure!(events == usize::try_from(head.get())?, "{events} events are in the rows");
    Ok(rate(events, spent))
}

async fn feed(bare: &mut dyn Bare, through: i64, rows: &[Folded]) -> Result<()> {
    bare.begin().await?;
    bare.write(rows).await?;
    bare.commit(through).await
}

/// The rows that are other ones after each of these places than at the one before.
async fn folded(store: &dyn EventStore, places: &[Sequence]) -> Result<Batches> {
    let Some(last) = places.last().filter(|last| **last > Sequence::ZERO) else { return Ok(Vec::new()) };
    let mut subscription = store.subscribe(Subscribe::after(Sequence::ZERO, Filter::all())).await?;
    let mut table = Table::default();
    let (mut batches, mut ends, mut through) = (Vec::new(), places.iter().peekable(), Sequence::ZERO);
    while through < *last {
        let delivery = subscription.next().await?;
        for event in delivery.events.iter() {
            table.add(&captured(&event)?, signed(event.sequence())?);
            if ends.next_if(|end| **end == event.sequence()).is_some() {
                batches.push((signed(event.sequence())?, table.changed()));
            }
        }
        through = delivery.through;
    }
    ensure!(ends.next().is_none(), "the log has gaps");
    Ok(batches)
}

#[derive(Default)]
struct Table {
    rows: HashMap<String, Folded>,
    /// In the order in which Annals writes them: that of their keys.
    changed: BTreeSet<String>,
}

impl Table {
    fn add(&mut self, event: &Captured, sequence: i64) {
        let first = || Folded { row: CustomerValue::new(event), sequence };
        let folded = self.rows.entry(event.customer.clone()).or_insert_with(first);
        folded.row.add(event);
        folded.sequence = sequence;
        self.changed.insert(event.customer.clone());
    }

    fn changed(&mut self) -> Vec<Folded> {
        let changed = std::mem::take(&mut self.changed);
        let rows = changed.iter().filter_map(|key| self.rows.get(key));
        rows.map(|Folded { row, sequence }| Folded { row: row.clone(), sequence: *sequence }).collect()
    }
}

fn captured(event: &EventRef<'_>) -> Result<Captured> {
    decode::<Captured>(event)?.context("an event of another type")
}

fn signed(sequence: Sequence) -> Result<i64> {
    Ok(i64::try_from(sequence.get())?)
}

/// The place of the event with this number, in a log without gaps.
fn sequence(number: usize) -> Result<Sequence> {
    Ok(Sequence::new(u64::try_from(number)?))
}
