//! Clients, drawn from a seed: several streams, conditions that hold and that do not, marks, repeats, reused request
//! ids, appends of one event and of many, groups in which one append rests on another.

use crate::judge::exactly;
use crate::model::Model;
use annals_event::{
    Append, EventId, EventType, ExpectedVersion, MarkName, NewEvent, RequestId, Sequence, StreamName, Version,
};
use annals_log::sim::Random;
use std::sync::Arc;

const STREAMS: u64 = 9;
const MARKS: u64 = 3;
const GROUP_APPENDS_MAX: u64 = 6;

/// Draws groups of appends.
#[derive(Clone)]
pub struct Clients {
    random: Random,
    /// What was submitted so far; repeats are drawn from it.
    submitted: Vec<Arc<Append>>,
}

impl Clients {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), submitted: Vec::new() }
    }

    /// The next group, by clients that know the log as `model` has it.
    pub fn group(&mut self, model: &Model) -> Vec<Arc<Append>> {
        let mut model = model.clone();
        let mut group: Vec<Arc<Append>> = Vec::new();
        for _ in 0..=self.random.below(GROUP_APPENDS_MAX) {
            let append = Arc::new(self.append(&model, &group));
            if append.validate().is_err() {
                continue;
            }
            let outcome = model.outcome(&append);
            model.apply(&append, &outcome);
            self.submitted.push(append.clone());
            group.push(append);
        }
        group
    }

    fn append(&mut self, model: &Model, group: &[Arc<Append>]) -> Append {
        let fresh = Append::with_request_id(self.request_id());
        match self.random.below(20) {
            0 | 1 => self.earlier().unwrap_or(self.write_one(model, fresh)),
            2 => match group.last() {
                Some(sibling) => Append::clone(sibling),
                None => self.write_one(model, fresh),
            },
            3 => self.earlier().map_or(fresh.clone(), |earlier| Append {
                request_id: earlier.request_id,
                ..self.write_one(model, fresh)
            }),
            4 => self.same_events_again(model, fresh),
            5 | 6 => self.refused(model, fresh),
            7 | 8 => self.set_mark(model, fresh),
            9 | 10 => {
                let append = self.write_one(model, fresh);
                self.set_mark(model, append)
            }
            11..=13 => self.write_many(model, fresh),
            _ => self.write_one(model, fresh),
        }
    }

    fn write_one(&mut self, model: &Model, append: Append) -> Append {
        let stream = self.stream();
        let expected = self.expected(model, &stream);
        let events = self.events();
        append.write(stream, expected, events)
    }

    fn write_many(&mut self, model: &Model, mut append: Append) -> Append {
        let first = self.random.below(STREAMS);
        for at in 0..=self.random.below(3) {
            let stream = stream((first + at) % STREAMS);
            let (expected, events) = (self.expected(model, &stream), self.events());
            append = append.write(stream, expected, events);
        }
        let required = stream((first + 4) % STREAMS);
        let expected = exactly(model, &required);
        append.require(required, expected)
    }

    /// A write that must be refused: it expects what is not so.
    fn refused(&mut self, model: &Model, append: Append) -> Append {
        let stream = self.stream();
        let expected = match model.version(&stream) {
            Version::ZERO => ExpectedVersion::Exists,
            version if self.random.chance(1, 2) => ExpectedVersion::Exact(version.next()),
            _ => ExpectedVersion::NoStream,
        };
        let events = self.events();
        append.write(stream, expected, events)
    }

    /// The events of an earlier append, by a client that lost the request id.
    fn same_events_again(&mut self, model: &Model, fresh: Append) -> Append {
        match self.earlier() {
            Some(earlier)
                if earlier.marks.is_empty()
                    && earlier.requires.is_empty()
                    && earlier.writes.len() == 1
                    && earlier.writes.iter().all(|write| {
                        matches!(write.expected, ExpectedVersion::Exact(_) | ExpectedVersion::NoStream)
                    }) =>
            {
                Append { request_id: fresh.request_id, ..earlier }
            }
            _ => self.write_one(model, fresh),
        }
    }

    fn set_mark(&mut self, model: &Model, append: Append) -> Append {
        let mark = MarkName::new(format!("reader-{}", self.random.below(MARKS))).unwrap();
        let at = model.mark(&mark);
        let expected = if self.random.chance(1, 6) { Some(Sequence::new(1_000_000)) } else { at };
        // Never the same value again, or it could not be told whether an unanswered one survived.
        let value = at.unwrap_or_default().plus(1 + self.random.below(5));
        append.set_mark(mark, expected, value)
    }

    fn expected(&mut self, model: &Model, stream: &StreamName) -> ExpectedVersion {
        if self.random.chance(1, 3) { ExpectedVersion::Any } else { exactly(model, stream) }
    }

    fn events(&mut self) -> Vec<NewEvent> {
        let count = if self.random.chance(1, 10) { 12 } else { 1 + self.random.below(3) };
        (0..count).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> NewEvent {
        // Some appends end within a sector, some cover several.
        let payload_bytes = match self.random.below(10) {
            0 => 700 + self.random.below(900),
            1 => 0,
            _ => self.random.below(200),
        };
        let mut payload = vec![0; payload_bytes as usize];
        // Zeros within a payload must never be taken for the end.
        if !self.random.chance(1, 6) {
            self.random.fill(&mut payload);
        }
        let id = EventId::from_bytes(self.bytes());
        NewEvent { id, ..NewEvent::json(EventType::new("happened").unwrap(), payload) }
    }

    fn earlier(&mut self) -> Option<Append> {
        let at = self.random.index(self.submitted.len());
        self.submitted.get(at).map(|append| Append::clone(append))
    }

    fn stream(&mut self) -> StreamName {
        stream(self.random.below(STREAMS))
    }

    /// One that carries no time: what is to happen depends on the seed alone.
    fn request_id(&mut self) -> RequestId {
        let mut bytes = self.bytes();
        (bytes[6], bytes[8]) = (bytes[6] & 0x0f | 0x40, bytes[8] & 0x3f | 0x80);
        RequestId::from_bytes(bytes)
    }

    fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        bytes
    }
}

fn stream(number: u64) -> StreamName {
    StreamName::new(format!("order-{number}")).unwrap()
}
