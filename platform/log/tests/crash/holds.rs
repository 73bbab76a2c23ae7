//! What is held stays, however much is dropped before it, and also after a power cut.

use crate::judge::{Depth, Judge, Verdict, must};
use crate::session::{Session, Setup};
use crate::workload::Clients;
use annals_event::{Append, MarkName, RequestId, Sequence};
use annals_log::sim::{Random, SimDisk, Survival};
use annals_log::{Hold, Retention, Writer};
use std::sync::Arc;

/// Drops as much as it may, again and again, while a mark holds events that are further and further on. Returns where
/// the log begins in the end.
pub fn hold_on(setup: &Setup) -> Verdict<Sequence> {
    let (disk, mut judge, mut clients) = (SimDisk::new(), Judge::default(), Clients::new(setup.seed));
    let writer = setup.open_sound(&disk)?;
    let random = Random::new(setup.seed);
    let mut session =
        Session { disk: &disk, writer, judge: &mut judge, clients: &mut clients, random, retains: false };
    let mut held = None;
    for round in 0..6 {
        session.work(8)?;
        let (first, head) = (session.writer.reader().first(), session.writer.reader().head());
        let from = Sequence::new(first.get().midpoint(head.get()));
        session.commit(&[Arc::new(hold(round, held, from))])?;
        held = Some(from);
        session.judge.model.first = drop_all(&session.writer, from)?;
        session.judge.check_running(&session.writer.reader(), Depth::Full)?;
        let found = setup.open_sound(&disk.crashed(Survival::Nothing))?;
        session.judge.clone().check_recovered(&found.reader(), Depth::Full)?;
        drop_all(&found, from)?;
    }
    Ok(session.judge.model.first)
}

fn hold(round: u8, held: Option<Sequence>, from: Sequence) -> Append {
    let mark = MarkName::new(format!("{}audit", Hold::MARK_PREFIX)).unwrap();
    Append::with_request_id(RequestId::from_bytes([round; 16])).set_mark(mark, held, from)
}

/// Drops all that is not held.
fn drop_all(writer: &Writer, held: Sequence) -> Verdict<Sequence> {
    let retained = writer.retain(Retention { bytes_max: Some(0), ..Retention::default() });
    let first = writer.reader().first();
    must!(retained.is_ok(), "dropping what is not held gives {retained:?}");
    must!(first <= held, "the log begins at {first} though {held} is held");
    Ok(first)
}

#[test]
fn what_a_mark_holds_is_never_dropped() {
    for seed in 60..64 {
        assert!(hold_on(&Setup::seeded(seed)).unwrap() > Sequence::FIRST, "seed {seed}: nothing was dropped");
    }
}
