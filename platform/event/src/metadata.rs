use crate::record::{DecodeError, Reader, put_str16};
use crate::{CorrelationId, EventId, TraceContext};
use std::collections::BTreeMap;

/// What is known about an event besides what happened: who asked, what caused it, which trace it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The request from outside that started the chain.
    pub correlation_id: Option<CorrelationId>,
    /// The event that caused this one; none when a request did.
    pub causation_id: Option<EventId>,
    /// The context of the span that appended the event.
    pub trace: Option<TraceContext>,
    /// The tenant that the event belongs to.
    pub tenant: Option<String>,
    /// Who asked for it.
    pub actor: Option<String>,
    /// The id of the key that protects the data subject's fields.
    pub subject_key: Option<String>,
    /// Whatever else services want to note.
    pub headers: BTreeMap<String, String>,
}

const CORRELATION: u8 = 1;
const CAUSATION: u8 = 1 << 1;
const TRACE: u8 = 1 << 2;
const TENANT: u8 = 1 << 3;
const ACTOR: u8 = 1 << 4;
const SUBJECT_KEY: u8 = 1 << 5;
const HEADERS: u8 = 1 << 6;
// 1 << 7 is reserved for the nonce, 24 bytes after the subject's key, with which that key encrypts the payload.
const KNOWN: u8 = CORRELATION | CAUSATION | TRACE | TENANT | ACTOR | SUBJECT_KEY | HEADERS;

impl Metadata {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.present() == 0
    }

    /// How many bytes the metadata takes in a record.
    pub fn encoded_len(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        let text = |text: &Option<String>| text.as_ref().map_or(0, |text| 2 + text.len());
        let headers: usize = self.headers.iter().map(|(key, value)| 4 + key.len() + value.len()).sum();
        1 + self.correlation_id.map_or(0, |_| 16)
            + self.causation_id.map_or(0, |_| 16)
            + self.trace.as_ref().map_or(0, |trace| 27 + trace.state.len())
            + text(&self.tenant)
            + text(&self.actor)
            + text(&self.subject_key)
            + if self.headers.is_empty() { 0 } else { 2 + headers }
    }

    fn present(&self) -> u8 {
        let flag = |present: bool, flag: u8| if present { flag } else { 0 };
        flag(self.correlation_id.is_some(), CORRELATION)
            | flag(self.causation_id.is_some(), CAUSATION)
            | flag(self.trace.is_some(), TRACE)
            | flag(self.tenant.is_some(), TENANT)
            | flag(self.actor.is_some(), ACTOR)
            | flag(self.subject_key.is_some(), SUBJECT_KEY)
            | flag(!self.headers.is_empty(), HEADERS)
    }

    /// Appends the encoded form to `out`: nothing when the metadata is empty, otherwise a byte of presence bits and
    /// the fields that they name, in the order of the bits. A text is preceded by its length, a u16; headers are
    /// sorted by key. Equal metadata have one form, and [`decode`](Self::decode) accepts no other.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let present = self.present();
        if present == 0 {
            return;
        }
        out.push(present);
        if let Some(id) = self.correlation_id {
            out.extend_from_slice(id.as_bytes());
        }
        if let Some(id) = self.causation_id {
            out.extend_from_slice(id.as_bytes());
        }
        if let Some(trace) = &self.trace {
            out.extend_from_slice(&trace.trace_id);
            out.extend_from_slice(&trace.span_id);
            out.push(trace.flags);
            put_str16(out, &trace.state);
        }
        for text in [&self.tenant, &self.actor, &self.subject_key].into_iter().flatten() {
            put_str16(out, text);
        }
        if !self.headers.is_empty() {
            out.extend_from_slice(&u16::try_from(self.headers.len()).unwrap_or(u16::MAX).to_le_bytes());
            for (key, value) in &self.headers {
                put_str16(out, key);
                put_str16(out, value);
            }
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut metadata = Self::default();
        if bytes.is_empty() {
            return Ok(metadata);
        }
        let mut reader = Reader::new(bytes);
        let [present] = reader.array()?;
        if present & !KNOWN != 0 {
            return Err(DecodeError::new("metadata has a field of a later format"));
        }
        if present == 0 {
            return Err(DecodeError::new("empty metadata takes bytes"));
        }
        if present & CORRELATION != 0 {
            metadata.correlation_id = Some(CorrelationId::from_bytes(reader.array()?));
        }
        if present & CAUSATION != 0 {
            metadata.causation_id = Some(EventId::from_bytes(reader.array()?));
        }
        if present & TRACE != 0 {
            let (trace_id, span_id, [flags]) = (reader.array()?, reader.array()?, reader.array()?);
            metadata.trace =
                Some(TraceContext { trace_id, span_id, flags, state: reader.str16()?.to_owned() });
        }
        for (bit, field) in [
            (TENANT, &mut metadata.tenant),
            (ACTOR, &mut metadata.actor),
            (SUBJECT_KEY, &mut metadata.subject_key),
        ] {
            if present & bit != 0 {
                *field = Some(reader.str16()?.to_owned());
            }
        }
        if present & HEADERS != 0 {
            let count = u16::from_le_bytes(reader.array()?);
            for _ in 0..count {
                let (key, value) = (reader.str16()?, reader.str16()?);
                if metadata.headers.last_key_value().is_some_and(|(last, _)| last.as_str() >= key) {
                    return Err(DecodeError::new("metadata's headers are not in order"));
                }
                metadata.headers.insert(key.to_owned(), value.to_owned());
            }
            if count == 0 {
                return Err(DecodeError::new("metadata has no headers although it announces some"));
            }
        }
        reader.finish()?;
        Ok(metadata)
    }
}
