//! Damage to the base, which stands for what retention dropped and which nothing can make again: it is named, what is
//! there can be read, and nothing is written.

use crate::judge::{Answer, Judge, Verdict, must, same_record};
use crate::session::{Setup, live};
use crate::workload::Clients;
use annals_event::Append;
use annals_log::sim::SimDisk;
use annals_log::{OpenError, ReadBudget, Writer};

/// Flips one bit in every byte of a base, another one each time.
pub fn flipped_bits_of_the_base(setup: Setup) -> Verdict<u64> {
    let (disk, mut judge, mut clients) = (SimDisk::new(), Judge::default(), Clients::new(setup.seed));
    live(&Setup { groups: 30, ..setup.clone() }.retaining(), &disk, &mut judge, &mut clients)?;
    let base = disk.content("base").expect("something was dropped");
    for at in 0..base.len() {
        let damaged = disk.restarted();
        let mut bytes = base.clone();
        bytes[at] ^= 1 << (at % 8);
        damaged.replace("base", bytes.clone());
        let before = damaged.files();
        match setup.open(&damaged) {
            Ok(writer) => reads_and_refuses(at, writer, &judge, &clients)?,
            Err(OpenError::Corrupted(damage)) => {
                must!(
                    damage.file.to_str() == Some("base"),
                    "the base damaged at {at} is reported as {damage}"
                )
            }
            Err(error) => must!(false, "the base damaged at {at}: {error}"),
        }
        must!(damaged.files() == before, "files went though the base is damaged at {at}");
        must!(damaged.content("base") == Some(bytes), "the base was changed though it is damaged at {at}");
    }
    Ok(base.len() as u64)
}

fn reads_and_refuses(at: usize, mut writer: Writer, judge: &Judge, clients: &Clients) -> Verdict {
    let damage = writer.corruption();
    let named = damage.as_ref().is_some_and(|damage| damage.file.to_str() == Some("base"));
    must!(named, "the base damaged at {at} is reported as {damage:?}");
    let reader = writer.reader();
    let mut next = reader.first();
    must!(next <= judge.model.first, "the base damaged at {at}: the log begins at {next}");
    while next <= judge.model.head() {
        let block = reader.read(next, ReadBudget { bytes_max: 1 << 20, events_max: 100 });
        must!(block.is_ok(), "the base damaged at {at}: reading {next} gives {block:?}");
        let Ok(block) = block else { break };
        for event in block.events.iter() {
            let right = same_record(judge.model.written_at(event.sequence()), event.as_bytes());
            must!(right, "damage is served as {event:?}");
        }
        next = block.next;
    }
    let group = clients.clone().group(&judge.model);
    let results = writer.commit(group.iter().map(|append| Append::clone(append)).collect());
    let refused = results.iter().map(Answer::of).all(|answer| matches!(answer, Answer::NotWritten));
    must!(refused, "a log with a base damaged at {at} answered {results:?}");
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_in_the_base_is_named() {
    println!("{} flipped bits in bases, all named", flipped_bits_of_the_base(Setup::seeded(48)).unwrap());
}
