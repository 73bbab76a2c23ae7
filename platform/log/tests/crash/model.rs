//! What a log must contain after a row of appends: the specification of `commit`, as plain as it can be.

use annals_event::{
    Append, Conflict, EventId, ExpectedVersion, MarkName, Receipt, RequestId, Sequence, SequenceRange,
    StreamName, Timestamp, Version, record,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// An event as the log must have it, all but the time.
#[derive(Debug)]
pub struct Entry {
    /// The stored record with sequence number and version, and a time that does not count.
    pub record: Vec<u8>,
}

/// An append that was written, and where.
#[derive(Clone, Debug)]
pub struct Written {
    pub append: Arc<Append>,
    pub events: Option<SequenceRange>,
    pub versions: Vec<Version>,
    /// The log's last event once it was written.
    pub head: Sequence,
    /// What was answered; `None`: nobody knows, the client never heard.
    pub receipt: Option<Receipt>,
}

/// What must come of an append.
#[derive(Debug)]
pub enum Outcome {
    /// It is written.
    Written,
    /// It is refused, for one of these reasons.
    Refused(Vec<Conflict>),
    /// It was written before.
    Repeated(Written),
    /// Its request id belongs to another append.
    IdReused,
    /// It was written before, and what it wrote was dropped.
    Dropped,
}

#[derive(Clone, Default)]
pub struct Model {
    /// What is before was dropped.
    pub first: Sequence,
    pub log: Vec<Arc<Entry>>,
    /// When the events were recorded, as far as anybody knows.
    pub times: Vec<Option<Timestamp>>,
    pub streams: BTreeMap<StreamName, Vec<Sequence>>,
    pub marks: BTreeMap<MarkName, Sequence>,
    written: HashMap<RequestId, Arc<Written>>,
    by_event: HashMap<EventId, RequestId>,
}

impl Model {
    pub fn head(&self) -> Sequence {
        Sequence::new(self.log.len() as u64)
    }

    /// The record of the event with this number; `None`: there is none.
    pub fn written_at(&self, sequence: Sequence) -> Option<&[u8]> {
        let at = (sequence.get() as usize).checked_sub(1)?;
        self.log.get(at).map(|entry| entry.record.as_slice())
    }

    pub fn version(&self, stream: &StreamName) -> Version {
        Version::new(self.streams.get(stream).map_or(0, Vec::len) as u64)
    }

    pub fn mark(&self, mark: &MarkName) -> Option<Sequence> {
        self.marks.get(mark).copied()
    }

    /// What must come of `append` now.
    pub fn outcome(&self, append: &Append) -> Outcome {
        if let Some(original) = self.written.get(&append.request_id) {
            if original.events.map_or(original.head.next(), |events| events.first) < self.first {
                return Outcome::Dropped;
            }
            let same = *original.append == *append;
            return if same { Outcome::Repeated(Written::clone(original)) } else { Outcome::IdReused };
        }
        let conflicts = self.conflicts(append);
        if conflicts.is_empty() {
            return Outcome::Written;
        }
        match self.same_events(append) {
            Some(original) => Outcome::Repeated(original),
            None => Outcome::Refused(conflicts),
        }
    }

    /// Whether it may be that what the append wrote was dropped: where an append without events stands is not known
    /// exactly.
    pub fn may_be_dropped(&self, append: &Append) -> bool {
        let original = self.written.get(&append.request_id);
        original.is_some_and(|original| match original.events {
            Some(events) => events.first < self.first,
            None => original.head.next() <= self.first,
        })
    }

    /// Applies `append` if it must be written.
    pub fn apply(&mut self, append: &Arc<Append>, outcome: &Outcome) -> Option<Written> {
        if !matches!(outcome, Outcome::Written) {
            return None;
        }
        let first = self.head().next();
        append.writes.iter().for_each(|write| {
            for event in &write.events {
                let (sequence, version) = (self.head().next(), self.version(&write.stream).next());
                let mut stored = Vec::new();
                record::encode(&write.stream, event, &mut stored);
                record::set_place(&mut stored, sequence, version, Timestamp::default());
                self.streams.entry(write.stream.clone()).or_default().push(sequence);
                self.by_event.insert(event.id, append.request_id);
                self.log.push(Arc::new(Entry { record: stored }));
                self.times.push(None);
            }
        });
        for update in &append.marks {
            self.marks.insert(update.mark.clone(), update.value);
        }
        let last = self.head();
        let written = Written {
            append: append.clone(),
            events: (last >= first).then_some(SequenceRange { first, last }),
            versions: append.writes.iter().map(|write| self.version(&write.stream)).collect(),
            head: last,
            receipt: None,
        };
        self.written.insert(append.request_id, Arc::new(written.clone()));
        Some(written)
    }

    /// Remembers what was answered to an append that was written.
    pub fn remember_answer(&mut self, request: RequestId, receipt: Receipt) {
        let Some(written) = self.written.get_mut(&request) else { return };
        if let Some(range) = written.events {
            let (from, to) = (range.first.get() as usize - 1, range.last.get() as usize);
            self.times[from..to].iter_mut().for_each(|time| *time = Some(receipt.recorded_at));
        }
        Arc::make_mut(written).receipt = Some(Receipt { repeated: false, ..receipt });
    }

    fn conflicts(&self, append: &Append) -> Vec<Conflict> {
        let written = append.writes.iter().map(|write| (&write.stream, write.expected));
        let required = append.requires.iter().map(|required| (&required.stream, required.expected));
        let streams = written.chain(required).filter_map(|(stream, expected)| {
            let actual = self.version(stream);
            let stream = stream.clone();
            (!expected.allows(actual)).then_some(Conflict::Stream { stream, expected, actual })
        });
        let marks = append.marks.iter().filter_map(|update| {
            let (mark, expected, actual) = (update.mark.clone(), update.expected, self.mark(&update.mark));
            (expected != actual).then_some(Conflict::Mark { mark, expected, actual })
        });
        streams.chain(marks).collect()
    }

    /// The append that wrote exactly these events, at the versions at which this one wants them.
    fn same_events(&self, append: &Append) -> Option<Written> {
        let first = append.writes.first()?.events.first()?;
        let original = self.written.get(self.by_event.get(&first.id)?)?;
        let kept = original.events.is_some_and(|events| events.first >= self.first);
        let ids = |append: &Append| -> Vec<_> {
            append
                .writes
                .iter()
                .map(|w| (w.stream.clone(), w.events.iter().map(|e| e.id).collect::<Vec<_>>()))
                .collect()
        };
        let exact = append
            .writes
            .iter()
            .all(|write| matches!(write.expected, ExpectedVersion::Exact(_) | ExpectedVersion::NoStream));
        let placed = append.writes.iter().zip(&original.versions).all(|(write, last)| {
            let before = Version::new(last.get() - write.events.len() as u64);
            write.expected.allows(before)
        });
        (kept && exact && ids(append) == ids(&original.append) && placed).then(|| Written::clone(original))
    }
}
