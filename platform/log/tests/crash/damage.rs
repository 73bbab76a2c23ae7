//! Damage that no power cut explains: flipped bits, zeroed sectors, swapped, foreign, missing and cut files.
//!
//! Damaged segments are named with file and offset, reads below the damage go on, nothing is written, truncated or
//! deleted. Damaged derived files change nothing at all.

use crate::judge::{Answer, Depth, Judge, Verdict, Violation, must, same_record};
use crate::layout::{last_group_at, segments, take_derived_files, used_bytes};
use crate::session::{Session, Setup};
use crate::workload::Clients;
use annals_event::{Append, EventBatch, Sequence, Version};
use annals_log::sim::{Random, SimDisk, Survival};
use annals_log::{Corruption, Direction, OpenError, ReadBudget, ReadError, StreamRead, Writer};
use std::collections::BTreeMap;

/// A log with sealed segments, indexes and a checkpoint.
pub struct Sound {
    setup: Setup,
    disk: SimDisk,
    judge: Judge,
    clients: Clients,
    /// Where the id of each event stands: its segment and offset.
    places: BTreeMap<Sequence, (String, usize)>,
}

/// How the log was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Closed,
    Killed,
}

/// What came of a damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It was named.
    Named(Corruption),
    /// The log is whole, as if nothing had happened.
    Harmless,
}

impl Sound {
    pub fn new(setup: Setup, left: Left) -> Self {
        let (disk, mut judge, mut clients) = (SimDisk::new(), Judge::default(), Clients::new(setup.seed));
        let writer = setup.open(&disk).unwrap();
        let random = Random::new(setup.seed);
        let mut session =
            Session { disk: &disk, writer, judge: &mut judge, clients: &mut clients, random, retains: false };
        // The last segment is to be more than just begun.
        while segments(&disk).len() < 4 || used_bytes(&disk, segments(&disk).last().unwrap()) < 2048 {
            session.work(1).unwrap();
        }
        session.writer.write_indexes().unwrap();
        session.writer.checkpoint().unwrap();
        session.work(1).unwrap();
        let killed = disk.crashed(Survival::Everything);
        if left == Left::Closed {
            session.writer.close().unwrap();
        }
        let disk = if left == Left::Closed { disk.restarted() } else { killed };
        let places = places(&judge, &disk);
        Self { setup, disk, judge, clients, places }
    }

    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    pub fn events(&self) -> u64 {
        self.places.len() as u64
    }

    pub fn damaged(&self, name: &str, damage: impl FnOnce(&mut Vec<u8>)) -> SimDisk {
        let disk = self.disk.restarted();
        let mut bytes = disk.content(name).unwrap();
        damage(&mut bytes);
        disk.replace(name, bytes);
        disk
    }

    /// Opens the log on a damaged disk and reads everything.
    pub fn judge(&self, disk: &SimDisk) -> Verdict<Finding> {
        let before: Vec<_> = disk.files().into_iter().map(|name| (disk.content(&name), name)).collect();
        let finding = match self.setup.open(disk) {
            Ok(writer) => self.judge_open(writer),
            Err(OpenError::Corrupted(corruption)) => Ok(Finding::Named(corruption)),
            Err(error) => Err(Violation(format!("the log does not open: {error}"))),
        }?;
        if finding != Finding::Harmless {
            for (content, name) in before {
                let after = disk.content(&name);
                must!(
                    after.is_some() || name.ends_with(".tmp"),
                    "{name} was deleted though the log is damaged"
                );
                let kept = !name.ends_with(".segment") || after == content;
                must!(kept, "{name} was changed though the log is damaged");
            }
        }
        Ok(finding)
    }

    fn judge_open(&self, mut writer: Writer) -> Verdict<Finding> {
        let (read, unreadable) = self.read_all(&writer)?;
        self.read_streams(&writer)?;
        let (named, unfound) = (writer.corruption(), self.find_time(&writer)?);
        match named.clone().or(unreadable).or(unfound) {
            None => {
                self.judge.clone().check_running(&writer.reader(), Depth::Full)?;
                Ok(Finding::Harmless)
            }
            Some(corruption) => {
                self.reads_go_on_below(&corruption, read)?;
                if named.is_some() {
                    self.refuses_writes(&mut writer)?;
                }
                Ok(Finding::Named(corruption))
            }
        }
    }

    /// Reads from the start to the head, or to the first error; returns how far it came.
    fn read_all(&self, writer: &Writer) -> Verdict<(u64, Option<Corruption>)> {
        let (reader, mut next) = (writer.reader(), Sequence::FIRST);
        loop {
            let block = match reader.read(next, ReadBudget { bytes_max: 4096, events_max: 10 }) {
                Ok(block) if block.events.is_empty() => return Ok((next.get() - 1, None)),
                Ok(block) => block,
                Err(ReadError::Corrupted(corruption)) => return Ok((next.get() - 1, Some(corruption))),
                Err(error) => return Err(Violation(format!("reading {next}: {error}"))),
            };
            self.is_what_was_written(&block.events)?;
            next = block.next;
        }
    }

    /// Streams can be read, or say that they are damaged.
    fn read_streams(&self, writer: &Writer) -> Verdict {
        for stream in self.judge.model.streams.keys() {
            let read =
                StreamRead { from: Version::FIRST, direction: Direction::Forward, events_max: usize::MAX };
            match writer.reader().read_stream(stream, read) {
                Ok(events) => self.is_what_was_written(&events)?,
                Err(ReadError::Corrupted(_)) => {}
                Err(error) => return Err(Violation(format!("reading stream {stream:?}: {error}"))),
            }
        }
        Ok(())
    }

    /// Looks for a time: that goes over frames which nobody reads, since they have no events.
    fn find_time(&self, writer: &Writer) -> Verdict<Option<Corruption>> {
        let times = &self.judge.model.times;
        let Some(Some(time)) = times.get(times.len() / 2) else { return Ok(None) };
        match writer.reader().sequence_at(*time) {
            Ok(_) => Ok(None),
            Err(ReadError::Corrupted(corruption)) => Ok(Some(corruption)),
            Err(error) => Err(Violation(format!("looking for {time:?}: {error}"))),
        }
    }

    fn is_what_was_written(&self, events: &EventBatch) -> Verdict {
        for event in events.iter() {
            let due = self.judge.model.written_at(event.sequence());
            must!(same_record(due, event.as_bytes()), "damage is served as {event:?}");
        }
        Ok(())
    }

    fn reads_go_on_below(&self, corruption: &Corruption, read: u64) -> Verdict {
        let file = corruption.file.to_str().unwrap_or_default();
        let offset = corruption.offset as usize;
        let below = |(name, at): &(String, usize)| name.as_str() < file || name == file && *at < offset;
        let due = self.places.values().filter(|place| below(place)).count() as u64;
        must!(read >= due, "{due} events lie below {corruption}, {read} could be read");
        Ok(())
    }

    fn refuses_writes(&self, writer: &mut Writer) -> Verdict {
        let group = self.clients.clone().group(&self.judge.model);
        let results = writer.commit(group.iter().map(|append| Append::clone(append)).collect());
        let refused = results.iter().map(Answer::of).all(|answer| matches!(answer, Answer::NotWritten));
        must!(refused, "a damaged log answered {results:?}");
        Ok(())
    }

    /// Damages one place of a segment: it must be named, at or before that place, in that file.
    pub fn must_be_named(&self, name: &str, at: usize, damage: impl FnOnce(&mut Vec<u8>)) -> Verdict {
        let disk = self.damaged(name, damage);
        let whole_scan = disk.restarted();
        let explain = |violation: Violation| Violation(format!("{name} damaged at {at}: {}", violation.0));
        let mut finding = self.judge(&disk).map_err(explain)?;
        if finding == Finding::Harmless {
            // The bytes of frames without events serve nobody once their marks are in a checkpoint: whoever goes
            // over all of them must notice.
            take_derived_files(&whole_scan);
            finding = self.judge(&whole_scan).map_err(explain)?;
        }
        match finding {
            Finding::Named(found) => {
                let close = found.offset as usize <= at && at <= found.offset as usize + FRAME_BYTES_MAX;
                let right = found.file.to_str() == Some(name) && close;
                must!(right, "{name} damaged at {at} is reported as {found}");
                Ok(())
            }
            Finding::Harmless => Err(Violation(format!("{name} damaged at {at}: nobody noticed"))),
        }
    }
}

/// Longer than any frame that the clients write.
const FRAME_BYTES_MAX: usize = 24 << 10;

fn places(judge: &Judge, disk: &SimDisk) -> BTreeMap<Sequence, (String, usize)> {
    let files: Vec<_> = segments(disk).into_iter().map(|name| (disk.content(&name).unwrap(), name)).collect();
    let place = |record: &[u8]| {
        files.iter().find_map(|(bytes, name)| {
            let at = bytes.windows(16).position(|window| *window == record[40..56])?;
            Some((name.clone(), at))
        })
    };
    let entries = judge.model.log.iter().zip(1..);
    entries.map(|(entry, number)| (Sequence::new(number), place(&entry.record).unwrap())).collect()
}

fn sound(left: Left) -> Sound {
    Sound::new(Setup::seeded(40), left)
}

/// Flips one bit in every byte, another one each time; all eight in the full run.
fn bits(at: usize) -> Vec<u8> {
    if std::env::var_os("ANNALS_CRASH_IMAGES").is_some() { (0..8).collect() } else { vec![(at % 8) as u8] }
}

pub fn flip_everywhere(sound: &Sound, name: &str, bytes: impl Iterator<Item = usize>) -> Verdict<u64> {
    let mut flips = 0;
    for at in bytes {
        for bit in bits(at) {
            sound.must_be_named(name, at, |bytes| bytes[at] ^= 1 << bit)?;
            flips += 1;
        }
    }
    Ok(flips)
}

#[test]
fn a_flipped_bit_anywhere_in_a_sealed_segment_is_named() {
    let mut flips = 0;
    for left in [Left::Closed, Left::Killed] {
        let sound = sound(left);
        let mut names = segments(&sound.disk);
        names.pop();
        for (at, name) in names.iter().enumerate() {
            // One of them at every byte, the others at some.
            let step = if at == 1 { 1 } else { 5 };
            let bytes = (0..used_bytes(&sound.disk, name)).step_by(step);
            flips += flip_everywhere(&sound, name, bytes).unwrap();
        }
    }
    println!("{flips} flipped bits in sealed segments, all named");
}

#[test]
fn a_flipped_bit_is_named_when_there_is_no_checkpoint_and_no_index() {
    let sound = sound(Left::Killed);
    take_derived_files(&sound.disk);
    let name = &segments(&sound.disk)[1];
    flip_everywhere(&sound, name, (0..used_bytes(&sound.disk, name)).step_by(7)).unwrap();
}

/// The last frame of a killed log cannot be told from one that was torn: nothing later says that it was synced.
#[test]
fn a_flipped_bit_below_the_last_sync_is_never_taken_for_a_torn_tail() {
    let mut flips = 0;
    for left in [Left::Killed, Left::Closed] {
        let sound = sound(left);
        let name = segments(&sound.disk).pop().unwrap();
        flips += flip_everywhere(&sound, &name, 0..last_group_at(&sound.disk, &name)).unwrap();
    }
    println!("{flips} flipped bits in active segments, all named");
}

pub fn zero_sectors_of_the_active_segment(setup: Setup) -> Verdict<u64> {
    let sound = Sound::new(setup, Left::Killed);
    let name = segments(&sound.disk).pop().unwrap();
    let mut zeroed = 0;
    let end = last_group_at(&sound.disk, &name);
    for from in (0..end).step_by(64) {
        let to = (from + 512).min(end);
        let bytes = sound.disk.content(&name).unwrap();
        let Some(first) = (from..to).find(|at| bytes[*at] != 0) else { continue };
        sound.must_be_named(&name, first, |bytes| bytes[from..to].fill(0))?;
        zeroed += 1;
    }
    Ok(zeroed)
}

#[test]
fn zeros_in_the_middle_of_the_active_segment_are_never_taken_for_its_end() {
    println!("{} zeroed sectors", zero_sectors_of_the_active_segment(Setup::seeded(41)).unwrap());
}

#[test]
fn damaged_missing_and_foreign_derived_files_change_nothing() {
    for left in [Left::Closed, Left::Killed] {
        let sound = sound(left);
        let foreign = Sound::new(Setup::seeded(77), left);
        let names = sound.disk.files();
        for name in names.iter().filter(|name| !name.ends_with(".segment")) {
            let length = sound.disk.content(name).unwrap().len();
            for (at, bit) in (0..length).flat_map(|at| bits(at).into_iter().map(move |bit| (at, bit))) {
                let disk = sound.damaged(name, |bytes| bytes[at] ^= 1 << bit);
                assert_eq!(sound.judge(&disk).unwrap(), Finding::Harmless, "{name} at {at}");
            }
            for cut in [0, 1, length / 2, length.saturating_sub(1)] {
                let disk = sound.damaged(name, |bytes| bytes.truncate(cut));
                assert_eq!(sound.judge(&disk).unwrap(), Finding::Harmless, "{name} cut to {cut}");
            }
            let disk = sound.disk.restarted();
            disk.take(name);
            assert_eq!(sound.judge(&disk).unwrap(), Finding::Harmless, "{name} missing");
            let others = foreign.disk.content(name).into_iter().chain(
                names
                    .iter()
                    .filter(|other| other.ends_with(".index"))
                    .filter_map(|other| sound.disk.content(other)),
            );
            for other in others {
                let disk = sound.damaged(name, |bytes| *bytes = other);
                assert_eq!(sound.judge(&disk).unwrap(), Finding::Harmless, "{name} replaced");
            }
        }
    }
}

#[test]
fn missing_swapped_foreign_zeroed_and_cut_segments_are_named() {
    for left in [Left::Closed, Left::Killed] {
        let sound = sound(left);
        let foreign = Sound::new(Setup::seeded(77), left);
        let names = segments(&sound.disk);
        for (at, name) in names.iter().enumerate() {
            let named = |what: &str, disk: &SimDisk| {
                let finding = sound.judge(disk).unwrap();
                assert!(matches!(finding, Finding::Named(_)), "{left:?}, {name} {what}: nobody noticed");
            };
            let disk = sound.disk.restarted();
            disk.take(name);
            named("missing", &disk);
            let disk = sound.damaged(name, |bytes| *bytes = foreign.disk.content(name).unwrap());
            if at == 0 {
                // The first segment says which log this is, so the others are the foreign ones.
                let damage = sound.setup.open(&disk).unwrap().corruption().unwrap();
                assert_eq!(damage.file.to_str(), names.get(1).map(String::as_str), "{damage}");
            } else {
                named("foreign", &disk);
            }
            named("zeroed", &sound.damaged(name, |bytes| bytes.fill(0)));
            named("empty", &sound.damaged(name, Vec::clear));
            let used = used_bytes(&sound.disk, name);
            for length in [1, 100, 512, 513, 700, used / 2] {
                named("cut", &sound.damaged(name, |bytes| bytes.truncate(length)));
            }
            if at + 1 < names.len() {
                named("cut by a byte", &sound.damaged(name, |bytes| bytes.truncate(used - 1)));
                let other = &names[at + 1];
                let disk = sound.damaged(name, |bytes| *bytes = sound.disk.content(other).unwrap());
                disk.replace(other, sound.disk.content(name).unwrap());
                named("swapped with the next", &disk);
                named(
                    "copied from the next",
                    &sound.damaged(name, |bytes| {
                        *bytes = sound.disk.content(other).unwrap();
                    }),
                );
            }
        }
    }
}
