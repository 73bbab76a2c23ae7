//! Going over all segments in order.

mod beside;

use super::walk::{Ended, Meter, Target, Walked, Walker};
use super::{Finding, Harm, VerifyError, VerifyReport};
use crate::disk::Disk;
use crate::error::Corruption;
use crate::files::{BASE, CHECKPOINT};
use crate::format::{
    BadHeader, Base, Checkpoint, Extent, FRAME_HEADER_BYTES, FRAMES_AT, LogEnd, LogSecret, LogStart, LogTag,
    Position, SECRET_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentNumber, first_header_anywhere,
    last_synced_to,
};
use crate::num::to_u64;
use crate::read::{Reader, footer_offset};
use crate::state::{Heads, StreamHasher};
use annals_event::LogId;
use std::collections::{BTreeMap, HashSet};

const UNREADABLE: &str = "it cannot be read";
const MISSING: &str = "the segment is missing";
const OUT_OF_PLACE: &str = "it does not follow the segment before it";
const FOOTER_MISSING: &str = "the segment's footer is missing";

/// A header as it is on the disk.
type Header = Result<SegmentHeader, &'static str>;

/// How much of the last segment is to be gone over.
enum Last {
    /// All that is there: nobody writes it.
    Whole,
    /// Up to here: somebody writes after it.
    To(Position),
}

pub(super) struct Verification<'a, 'm> {
    disk: &'a dyn Disk,
    meter: Meter<'m>,
    headers: BTreeMap<SegmentNumber, Header>,
    indexes: HashSet<SegmentNumber>,
    checkpoint: Option<Checkpoint>,
    /// Where the log begins; `None`: the base that says so is damaged.
    start: Option<LogStart>,
    last: Last,
    /// The log's; `None`: no segment's header is whole.
    secret: Option<LogSecret>,
    hasher: StreamHasher,
    tag: LogTag,
    /// Where all streams are; `None` once events were missing.
    heads: Option<Heads>,
    /// Where the segment before ended, if that is certain.
    before: Option<LogEnd>,
    /// The names of all files in the folder of a backup; empty: it is none.
    of_backup: Vec<String>,
    report: VerifyReport,
}

impl<'a, 'm> Verification<'a, 'm> {
    pub(super) fn of_folder(
        disk: &'a dyn Disk,
        names: &[String],
        meter: Meter<'m>,
    ) -> Result<Self, VerifyError> {
        let numbers = names.iter().filter_map(|name| SegmentNumber::of_file_name(name));
        let headers = numbers.map(|number| Ok((number, read_header(disk, number)?)));
        let headers: BTreeMap<_, _> = headers.collect::<Result<_, VerifyError>>()?;
        let sound = headers.values().find_map(|header| header.as_ref().ok());
        let of = sound.map(|header| (header.log_id, header.secret));
        let mut verification = Self::new(disk, meter, headers, of, Last::Whole);
        verification.read_base()?;
        let has_index = |number: &SegmentNumber| names.contains(&number.index_file_name());
        verification.indexes = verification.headers.keys().copied().filter(has_index).collect();
        if names.iter().any(|name| name == CHECKPOINT) {
            verification.read_checkpoint();
        }
        Ok(verification)
    }

    /// Of a log that is being written: what is durable now.
    pub(super) fn of_open(reader: &'a Reader, meter: Meter<'m>) -> Result<Self, VerifyError> {
        let disk = &*reader.shared.environment.disk;
        let (segments, end) = {
            let state = reader.shared.state.read();
            (state.segments.clone(), state.end.position)
        };
        let headers = segments.iter().map(|header| (header.number, known_header(disk, header))).collect();
        let of = segments.first().map(|header| (header.log_id, header.secret));
        let failed = |cause| VerifyError::Io { file: disk.display(""), cause };
        let names = disk.list().map_err(failed)?;
        let names: HashSet<String> = names.into_iter().collect();
        let mut verification = Self::new(disk, meter, headers, of, Last::To(end));
        verification.read_base()?;
        let has_index = |number: &SegmentNumber| names.contains(&number.index_file_name());
        verification.indexes = verification.headers.keys().copied().filter(has_index).collect();
        verification
            .meter
            .expect(end.since(segments.first().map_or(Position::default(), |first| first.base)));
        Ok(verification)
    }

    /// Of one sealed segment, and the one that follows it: links to earlier ones are not known.
    pub(super) fn of_sealed(reader: &'a Reader, pair: [&SegmentHeader; 2], meter: Meter<'m>) -> Self {
        let disk = &*reader.shared.environment.disk;
        let [segment, next] = pair;
        let headers = [(segment.number, known_header(disk, segment)), (next.number, Ok(*next))].into();
        let of = Some((segment.log_id, segment.secret));
        let mut verification = Self::new(disk, meter, headers, of, Last::Whole);
        verification.meter.expect(segment.capacity_bytes);
        verification.heads = None;
        if disk.open(&segment.number.index_file_name()).is_ok() {
            verification.indexes.insert(segment.number);
        }
        verification
    }

    /// Goes over the one sealed segment.
    pub(super) fn run_sealed(mut self, next: &SegmentHeader) -> Vec<Finding> {
        if let Some((number, header)) =
            self.headers.first_key_value().map(|(number, header)| (*number, *header))
        {
            self.segment(number, header, false);
        }
        if self.before.is_some_and(|end| begun(next, &end) != *next) {
            self.find(&next.number.file_name(), 0, OUT_OF_PLACE, Harm::Primary);
        }
        self.meter.finish();
        self.report.findings
    }

    fn new(
        disk: &'a dyn Disk,
        meter: Meter<'m>,
        headers: BTreeMap<SegmentNumber, Header>,
        of: Option<(LogId, LogSecret)>,
        last: Last,
    ) -> Self {
        let (log_id, secret) = of.unzip();
        let known = secret.unwrap_or(LogSecret([0; SECRET_BYTES]));
        let segments = to_u64(headers.len());
        Self {
            disk,
            meter,
            headers,
            indexes: HashSet::new(),
            checkpoint: None,
            start: None,
            last,
            secret,
            hasher: known.stream_hasher(),
            tag: known.frame_tag(),
            heads: Some(Heads::new()),
            before: None,
            of_backup: Vec::new(),
            report: VerifyReport { log_id, segments, ..VerifyReport::default() },
        }
    }

    pub(super) fn run(mut self) -> Result<VerifyReport, VerifyError> {
        let last = self.headers.keys().next_back().copied();
        let begins = self.start.map(|start| start.segment).or(self.headers.keys().next().copied());
        let mut expected = begins.unwrap_or(SegmentNumber::FIRST);
        for (number, header) in self.headers.clone() {
            if number != expected {
                self.lost(expected, MISSING);
            }
            self.segment(number, header, Some(number) == last);
            expected = number.next();
        }
        let known = self.checkpoint.as_ref().map(|checkpoint| checkpoint.replay_from);
        if self.headers.is_empty() || known.is_some_and(|known| known >= expected) {
            self.lost(expected, MISSING);
        }
        self.compare_checkpoint();
        self.check_backup();
        self.meter.finish();
        Ok(self.report)
    }

    fn segment(&mut self, number: SegmentNumber, header: Header, is_last: bool) {
        let Some(header) = self.begin(number, header) else { return self.check_index(number, None, None) };
        let next = self.headers.get(&number.next()).and_then(|next| next.as_ref().ok()).copied();
        let followed = !is_last;
        let walked = match self.walk(&header, next.as_ref(), followed) {
            Ok(walked) => walked,
            Err(error) => {
                tracing::warn!(%error, segment = number.0, "a segment cannot be read");
                self.lost(number, UNREADABLE);
                return self.check_index(number, None, None);
            }
        };
        self.report.events += walked.events;
        for &(offset, what) in &walked.damages {
            self.find(&number.file_name(), offset, what, Harm::Primary);
        }
        if !walked.damages.is_empty() {
            self.heads = None;
        }
        self.end(&header, next.as_ref(), is_last, walked);
    }

    /// The header to go by: the one on the disk, or what the segment before says.
    fn begin(&mut self, number: SegmentNumber, header: Header) -> Option<SegmentHeader> {
        let before = self.before.take();
        match header {
            Ok(header) => {
                if header.number != number {
                    self.lost(number, "the file holds another segment");
                    return None;
                }
                if (Some(header.log_id), Some(header.secret)) != (self.report.log_id, self.secret) {
                    self.lost(number, "it is a segment of another log");
                    return None;
                }
                if before.is_some_and(|end| begun(&header, &end) != header) {
                    self.find(&number.file_name(), 0, OUT_OF_PLACE, Harm::Primary);
                }
                self.compare_start(&header);
                Some(header)
            }
            Err(what) => {
                self.find(&number.file_name(), 0, what, Harm::Primary);
                self.instead_of_header(number, before)
            }
        }
    }

    /// What the header must have been, by the segment before or by the segment's own frames.
    fn instead_of_header(&mut self, number: SegmentNumber, before: Option<LogEnd>) -> Option<SegmentHeader> {
        let file = self.disk.open(&number.file_name()).ok()?;
        let capacity_bytes = file.len().ok()?;
        let (log_id, secret) = (self.report.log_id?, self.secret?);
        let begin = |base, end: &LogEnd| SegmentHeader {
            number,
            log_id,
            secret,
            base,
            capacity_bytes,
            first: end.next,
            chain: end.chain,
            recorded_before: end.recorded_at,
        };
        if let Some(end) = before {
            return Some(begin(end.position.plus(to_u64(FRAME_HEADER_BYTES)), &end));
        }
        if let Some(start) = self.start.filter(|start| start.segment == number) {
            return Some(start.header(secret, capacity_bytes));
        }
        let base = Position::new(0);
        let extent = Extent { file: &*file, log: self.tag, base, from: FRAMES_AT, to: capacity_bytes };
        let (offset, frame) = first_header_anywhere(extent).ok()??;
        self.heads = None;
        Some(begin(Position::new(frame.position.since(Position::new(offset))), &LogEnd::before(&frame)))
    }

    /// The first segment begins where the base says, or where logs begin.
    fn compare_start(&mut self, header: &SegmentHeader) {
        let Some(start) = self.start.filter(|start| start.segment == header.number) else { return };
        if start == LogStart::of(header) {
            return;
        }
        if start.segment == SegmentNumber::FIRST {
            self.find(&header.number.file_name(), 0, OUT_OF_PLACE, Harm::Primary);
        } else {
            self.find(BASE, 0, Base::NOT_THIS_LOGS, Harm::Primary);
        }
    }

    fn walk(
        &mut self,
        header: &SegmentHeader,
        next: Option<&SegmentHeader>,
        followed: bool,
    ) -> std::io::Result<Walked> {
        let file = self.disk.open(&header.number.file_name())?;
        let length = file.len()?;
        if length < header.capacity_bytes {
            let what = "the file is shorter than it was made";
            self.find(&header.number.file_name(), length, what, Harm::Primary);
        }
        let as_of = self.checkpoint.as_ref().map_or(Position::default(), |checkpoint| checkpoint.as_of);
        let durable_to = match next {
            Some(next) => header.base.plus(footer_offset(header, next)),
            None if followed => Position::new(u64::MAX),
            None => as_of,
        };
        let (to, durable_to) = match &self.last {
            Last::To(end) if !followed => (end.since(header.base).min(length), *end),
            _ => (length, durable_to),
        };
        let target = Target { file: &*file, header: *header, to, durable_to };
        let heads = self.heads.as_ref();
        let mut walker = Walker { hasher: &self.hasher, tag: self.tag, heads, meter: &mut self.meter };
        walker.walk(target)
    }

    /// What follows the frames: a footer and a segment, or the log's end.
    fn end(&mut self, header: &SegmentHeader, next: Option<&SegmentHeader>, is_last: bool, walked: Walked) {
        let number = header.number;
        let Walked { end, ended, index, damages, unfinished_bytes, .. } = walked;
        match (ended, is_last) {
            (Ended::Footer, true) => self.lost(number.next(), MISSING),
            (Ended::Footer, false) => {}
            (Ended::Lost | Ended::Stopped, _) => return self.check_index(number, None, None),
            (Ended::Open | Ended::AsAsked, true) => {
                self.report.unfinished_bytes = unfinished_bytes;
                return self.check_end(header, &end);
            }
            (Ended::Open | Ended::AsAsked, false) => {
                if !next.is_some_and(|next| self.may_lack_footer(&end, next)) {
                    let offset = end.position.since(header.base);
                    self.find(&number.file_name(), offset, FOOTER_MISSING, Harm::Primary);
                }
            }
        }
        self.before = Some(end);
        self.check_index(number, Some(end.chain), damages.is_empty().then_some(index));
    }

    /// Whether a crash can have left the segment that ends at `end` without a footer: nothing follows but a segment
    /// without frames.
    fn may_lack_footer(&self, end: &LogEnd, next: &SegmentHeader) -> bool {
        let is_last = self.headers.keys().next_back() == Some(&next.number);
        let follows = next.base == end.position.plus(to_u64(FRAME_HEADER_BYTES)) && next.chain == end.chain;
        let used = || {
            let file = self.disk.open(&next.number.file_name())?;
            let to = file.len()?;
            let extent = Extent { file: &*file, log: self.tag, base: next.base, from: FRAMES_AT, to };
            last_synced_to(extent)
        };
        is_last && follows && used().is_ok_and(|used| used.is_none())
    }

    /// The log must reach as far as the checkpoint knows it was durable.
    fn check_end(&mut self, header: &SegmentHeader, end: &LogEnd) {
        let reached = match &self.last {
            Last::Whole => self.checkpoint.as_ref().is_none_or(|checkpoint| checkpoint.as_of <= end.position),
            Last::To(to) => end.position == *to,
        };
        if !reached {
            let offset = end.position.since(header.base);
            let what = "the log ends before what was durable";
            self.find(&header.number.file_name(), offset, what, Harm::Primary);
        }
    }

    /// What is wrong with a segment of which nothing can be gone over.
    fn lost(&mut self, number: SegmentNumber, what: &'static str) {
        self.find(&number.file_name(), 0, what, Harm::Primary);
        (self.heads, self.before) = (None, None);
    }

    fn find(&mut self, name: &str, offset: u64, what: &'static str, harm: Harm) {
        let damage = Corruption { file: self.disk.display(name), offset, what };
        self.report.findings.push(Finding { damage, harm });
    }
}

const DAMAGED_HEADER: &str = "the segment's header is damaged";

fn read_header(disk: &dyn Disk, number: SegmentNumber) -> Result<Header, VerifyError> {
    let name = number.file_name();
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    if disk.open(&name).and_then(|file| file.read_at(&mut bytes, 0)).is_err() {
        return Ok(Err(UNREADABLE));
    }
    match SegmentHeader::decode(&bytes) {
        Ok(header) => Ok(Ok(header)),
        Err(BadHeader::Damaged) => Ok(Err(DAMAGED_HEADER)),
        Err(BadHeader::Unknown(format)) => {
            Err(VerifyError::UnknownFormat { file: disk.display(&name), format })
        }
    }
}

/// The header on the disk, which must be the one that is known.
fn known_header(disk: &dyn Disk, known: &SegmentHeader) -> Header {
    let held = read_header(disk, known.number).unwrap_or(Err(UNREADABLE))?;
    if held == *known { Ok(held) } else { Err(DAMAGED_HEADER) }
}

/// What the header must be when the segment before ended at `end`.
fn begun(header: &SegmentHeader, end: &LogEnd) -> SegmentHeader {
    SegmentHeader {
        base: end.position.plus(to_u64(FRAME_HEADER_BYTES)),
        first: end.next,
        chain: end.chain,
        recorded_before: end.recorded_at,
        ..*header
    }
}
