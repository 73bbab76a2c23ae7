//! Going over one segment: its frames, what ends them, and what lies after that.
//!
//! What always holds: after damage the walk goes on at the next frame header that is whole, and takes its word for where
//! the log stood before it.

use super::VerifyProgress;
use crate::disk::DiskFile;
use crate::format::{
    ActiveIndex, Cursor, Extent, FRAME_HEADER_BYTES, FRAMES_AT, Frame, FrameHeader, Kind, LogEnd, LogTag,
    Position, SegmentHeader, Stop, advance, content_end, content_start, first_header, last_synced_to,
};
use crate::num::to_u64;
use crate::state::{Heads, StreamHasher};
use std::{io, ops::ControlFlow};

/// Counts what was gone over, and tells whoever wants to know: now and then, so that it costs nothing.
pub(crate) struct Meter<'a> {
    done: VerifyProgress,
    told_bytes: u64,
    tell: &'a mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(bytes_total: u64, tell: &'a mut dyn FnMut(VerifyProgress) -> ControlFlow<()>) -> Self {
        Self { done: VerifyProgress { bytes_done: 0, bytes_total }, told_bytes: 0, tell }
    }

    pub(crate) const fn expect(&mut self, bytes: u64) {
        self.done.bytes_total = self.done.bytes_total.saturating_add(bytes);
    }

    /// `Break`: stop going over.
    pub(crate) fn pass(&mut self, bytes: u64) -> ControlFlow<()> {
        const TELL_EVERY_BYTES: u64 = 1 << 20;
        self.done.bytes_done = self.done.bytes_done.saturating_add(bytes);
        if self.done.bytes_done - self.told_bytes < TELL_EVERY_BYTES {
            return ControlFlow::Continue(());
        }
        self.tell()
    }

    /// All was gone over.
    pub(crate) fn finish(&mut self) {
        self.done.bytes_done = self.done.bytes_total;
        let _ = self.tell();
    }

    fn tell(&mut self) -> ControlFlow<()> {
        self.told_bytes = self.done.bytes_done;
        (self.tell)(self.done)
    }
}

/// A segment to go over.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) file: &'a dyn DiskFile,
    pub(crate) header: SegmentHeader,
    /// To which offset of the file.
    pub(crate) to: u64,
    /// Everything before is known to have been durable.
    pub(crate) durable_to: Position,
}

/// How the frames of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By a footer.
    Footer,
    /// At the place up to which they were to be gone over.
    AsAsked,
    /// Where no whole frame stands, and nothing says that one did.
    Open,
    /// Somewhere in damage.
    Lost,
    /// Before all was gone over: it was told to stop.
    Stopped,
}

/// What is wrong at an offset of the segment's file.
pub(crate) type Damaged = (u64, &'static str);

/// A segment that was gone over.
pub(crate) struct Walked {
    segment: SegmentHeader,
    /// Where the log stands after the frames, the footer not counted.
    pub(crate) end: LogEnd,
    pub(crate) ended: Ended,
    pub(crate) index: ActiveIndex,
    /// Events of whole frames.
    pub(crate) events: u64,
    /// Frames, the footer not counted.
    pub(crate) frames: u64,
    /// Bytes of an unfinished group after the end.
    pub(crate) unfinished_bytes: u64,
    pub(crate) damages: Vec<Damaged>,
}

/// What is needed to go over segments.
pub(crate) struct Walker<'a, 'm> {
    pub(crate) hasher: &'a StreamHasher,
    pub(crate) tag: LogTag,
    /// Where all streams are before the segment; moved forward. `None`: not known, so versions are not compared with
    /// earlier segments, and links to them are left out of the index.
    pub(crate) heads: Option<&'a Heads>,
    pub(crate) meter: &'a mut Meter<'m>,
}

const NOT_LEGAL: &str = "the frame's header has a value that no frame may have";
const BAD_RECORDS: &str = "the frame's records do not match its header";
const BAD_VERSION: &str = "an event's version does not follow its stream";
const NOT_ZERO: &str = "the bytes after the segment's end are not zero";

impl Walker<'_, '_> {
    pub(crate) fn walk(&mut self, target: Target<'_>) -> io::Result<Walked> {
        let mut cursor = Cursor::new(self.extent(target, FRAMES_AT));
        let mut walked = Walked::at_start_of(&target.header);
        walked.ended = loop {
            match cursor.each(|frame| Ok(self.visit(frame, &mut walked)))? {
                Stop::End => break Ended::AsAsked,
                Stop::Enough(footer) if footer.kind == Kind::Footer => {
                    self.look_past_footer(target, footer.end().since(target.header.base), &mut walked)?;
                    break Ended::Footer;
                }
                Stop::Enough(_) => break Ended::Stopped,
                Stop::Bad { offset, what } => match self.go_on_after(target, offset, what, &mut walked)? {
                    Ok(resume) => cursor.resume_at(resume),
                    Err(ended) => break ended,
                },
            }
        };
        Ok(walked)
    }

    /// `Break`: it is the footer, or the walk was told to stop.
    fn visit(&mut self, frame: &Frame<'_>, walked: &mut Walked) -> ControlFlow<()> {
        if let Err(what) = self.take(frame, walked) {
            self.damage(frame.offset, what, walked);
        }
        let header = &frame.header;
        if header.kind == Kind::Footer {
            return ControlFlow::Break(());
        }
        walked.pass(header);
        walked.events += u64::from(header.events);
        self.meter.pass(header.frame_bytes())
    }

    /// Events may be missing from here on, so that versions cannot be followed any more.
    fn damage(&mut self, offset: u64, what: &'static str, walked: &mut Walked) {
        walked.damages.push((offset, what));
        self.heads = None;
    }

    fn extent<'t>(&self, target: Target<'t>, from: u64) -> Extent<'t> {
        Extent { file: target.file, log: self.tag, base: target.header.base, from, to: target.to }
    }

    /// Checks a whole frame against where the log stands.
    fn take(&self, frame: &Frame<'_>, walked: &mut Walked) -> Result<(), &'static str> {
        let (header, end, number) = (&frame.header, &walked.end, walked.segment.number);
        header.check_follows(end.next, end.chain)?;
        if header.recorded_at < end.recorded_at {
            return Err("the frame was recorded before the one before it");
        }
        if !header.is_legal() {
            return Err(NOT_LEGAL);
        }
        if header.kind != Kind::Append && (header.events > 0 || !frame.payload.is_empty()) {
            return Err(BAD_RECORDS);
        }
        frame.marks()?;
        let records = frame.records(self.hasher, |_, _| true)?;
        let mut fits = true;
        walked.index.take_in(header, frame.offset, &records, |run| match (self.heads, run) {
            (Some(heads), [first, .., last] | [first @ last]) => {
                fits &= heads.version(first.stream).next() == first.version;
                advance(heads, last.stream, last.version, number)
            }
            _ => 0,
        });
        if fits { Ok(()) } else { Err(BAD_VERSION) }
    }

    /// Where no whole frame stands: is it damage, and where does the walk go on? `Err`: nowhere.
    fn go_on_after(
        &mut self,
        target: Target<'_>,
        offset: u64,
        what: &'static str,
        walked: &mut Walked,
    ) -> io::Result<Result<u64, Ended>> {
        let rest = self.extent(target, offset);
        let position = target.header.base.plus(offset);
        let durable = target.durable_to > position
            || last_synced_to(rest)?.is_some_and(|synced_to| synced_to > position);
        if !durable {
            walked.unfinished_bytes = content_end(rest)? - offset;
            let _ = self.meter.pass(target.to - offset);
            return Ok(Err(Ended::Open));
        }
        self.damage(offset, what, walked);
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let got = target.file.read_at(&mut bytes, offset)?;
        let held = FrameHeader::decode(bytes.get(..got).unwrap_or_default(), self.tag, position);
        let resume = match held.filter(|header| header.end() <= target.header.base.plus(target.to)) {
            // The chain is told by headers alone, so it goes on over a damaged payload.
            Some(header) => {
                walked.pass(&header);
                Some(header.end().since(target.header.base))
            }
            None => {
                let next = first_header(self.extent(target, offset + 1))?;
                next.map(|(resume, header)| walked.resume(&header, resume))
            }
        };
        let passed = resume.unwrap_or(target.to).saturating_sub(offset);
        Ok(match (self.meter.pass(passed), resume) {
            (ControlFlow::Break(()), _) => Err(Ended::Stopped),
            (_, Some(resume)) => Ok(resume),
            (_, None) => Err(Ended::Lost),
        })
    }

    /// Nothing was ever written after the footer.
    fn look_past_footer(&mut self, target: Target<'_>, from: u64, walked: &mut Walked) -> io::Result<()> {
        let rest = self.extent(target, from);
        walked.damages.extend(content_start(rest)?.map(|offset| (offset, NOT_ZERO)));
        let _ = self.meter.pass(to_u64(FRAME_HEADER_BYTES) + target.to.saturating_sub(from));
        Ok(())
    }
}

impl Walked {
    fn at_start_of(segment: &SegmentHeader) -> Self {
        Self {
            segment: *segment,
            end: LogEnd::at_start_of(segment),
            ended: Ended::AsAsked,
            index: ActiveIndex::default(),
            events: 0,
            frames: 0,
            unfinished_bytes: 0,
            damages: Vec::new(),
        }
    }

    fn pass(&mut self, header: &FrameHeader) {
        self.end = self.end.after(header);
        self.frames += 1;
    }

    /// Takes the header's word for where the log stood before it.
    fn resume(&mut self, header: &FrameHeader, offset: u64) -> u64 {
        self.end = LogEnd::before(header);
        offset
    }
}
