//! The stored form of a recorded event, in segments, in batches and on the way between them.
//!
//! A record is self-contained and little-endian. It has no checksum of its own; whatever carries records has one. It
//! is canonical: equal events have the same bytes, whoever encoded them, and a record that decodes in full encodes to
//! the same bytes.
//!
//! | offset | size | field | legal values |
//! |---|---|---|---|
//! | 0 | 4 | record length, this field included | 64..=4 MiB |
//! | 4 | 1 | format | 1 |
//! | 5 | 1 | S, bytes of the stream name | 1..=255 |
//! | 6 | 1 | T, bytes of the event type | 1..=128 |
//! | 7 | 1 | C, bytes of the content type | 0..=128; 0 is `application/json`, which is never spelled out |
//! | 8 | 4 | schema version | from 1; 0 is read like any other, and no consumer knows it |
//! | 12 | 2 | M, bytes of the metadata | 0..=16,384 |
//! | 14 | 2 | G, bytes of the tags | 0..=8,192 |
//! | 16 | 8 | sequence number | from 1 |
//! | 24 | 8 | version | from 1 |
//! | 32 | 8 | recorded at, µs since the Unix epoch | any, signed |
//! | 40 | 16 | event id | any |
//! | 56 | 4 | P, bytes of the payload | 0..=1 MiB |
//! | 60 | S | stream name | UTF-8 |
//! | … | T | event type | UTF-8 |
//! | … | C | content type | ASCII |
//! | … | M | metadata | see `Metadata::encode` |
//! | … | G | tags, each with a u8 length before it | valid ones, in the order of the event |
//! | … | P | payload | any |
//!
//! A record is encoded before its place is known ([`encode`]); [`set_place`] then fills in what the writer
//! decides, which is why those fields stand at fixed offsets.

use crate::{
    ContentType, EventId, EventType, Metadata, NewEvent, RecordedEvent, Sequence, StreamName, Tag, Timestamp,
    Version,
};
use bytes::Bytes;

/// Bytes before the stream name.
pub const HEADER_BYTES: usize = 60;
const FORMAT: u8 = 1;

/// Bytes that are not a well-formed record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed record: {reason}")]
pub struct DecodeError {
    reason: &'static str,
}

impl DecodeError {
    pub(crate) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}

/// How many bytes the record of `event` on `stream` takes.
pub fn encoded_len(stream: &StreamName, event: &NewEvent) -> usize {
    Lengths::of(stream, event).record
}

/// Appends the record of `event` on `stream` to `out`, without its place: [`set_place`] must follow.
///
/// The event must be within [`limits`](crate::limits), as [`Append::validate`](crate::Append::validate) makes
/// sure; a length that does not fit its field would make a record that [`EventBatch::parse`](crate::EventBatch::parse) refuses.
pub fn encode(stream: &StreamName, event: &NewEvent, out: &mut Vec<u8>) {
    let lengths = Lengths::of(stream, event);
    out.reserve(lengths.record);
    out.extend_from_slice(&lengths.header(event));
    out.extend_from_slice(stream.as_str().as_bytes());
    out.extend_from_slice(event.event_type.as_str().as_bytes());
    out.extend_from_slice(stored_content_type(event).as_bytes());
    event.metadata.encode(out);
    for tag in &event.tags {
        out.push(narrow(tag.as_str().len()));
        out.extend_from_slice(tag.as_str().as_bytes());
    }
    out.extend_from_slice(&event.payload);
}

/// How long the parts of a record are.
struct Lengths {
    stream: usize,
    event_type: usize,
    content_type: usize,
    metadata: usize,
    tags: usize,
    payload: usize,
    record: usize,
}

impl Lengths {
    fn of(stream: &StreamName, event: &NewEvent) -> Self {
        let (stream, event_type) = (stream.as_str().len(), event.event_type.as_str().len());
        let content_type = stored_content_type(event).len();
        let (metadata, payload) = (event.metadata.encoded_len(), event.payload.len());
        let tags = event.tags.iter().map(|tag| 1 + tag.as_str().len()).sum();
        let record = HEADER_BYTES + stream + event_type + content_type + metadata + tags + payload;
        Self { stream, event_type, content_type, metadata, tags, payload, record }
    }

    /// What stands before the names; the place is left out.
    fn header(&self, event: &NewEvent) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[0..4].copy_from_slice(&narrow::<u32>(self.record).to_le_bytes());
        header[4..8].copy_from_slice(&[
            FORMAT,
            narrow(self.stream),
            narrow(self.event_type),
            narrow(self.content_type),
        ]);
        header[8..12].copy_from_slice(&event.schema_version.to_le_bytes());
        header[12..14].copy_from_slice(&narrow::<u16>(self.metadata).to_le_bytes());
        header[14..16].copy_from_slice(&narrow::<u16>(self.tags).to_le_bytes());
        header[40..56].copy_from_slice(event.id.as_bytes());
        header[56..60].copy_from_slice(&narrow::<u32>(self.payload).to_le_bytes());
        header
    }
}

/// Fills in the place of the record that begins at the start of `record`. Does nothing if that is shorter than a
/// header.
pub fn set_place(record: &mut [u8], sequence: Sequence, version: Version, recorded_at: Timestamp) {
    let mut set = |at: usize, bytes: [u8; 8]| {
        if let Some(field) = record.get_mut(at..at + 8) {
            field.copy_from_slice(&bytes);
        }
    };
    set(16, sequence.get().to_le_bytes());
    set(24, version.get().to_le_bytes());
    set(32, recorded_at.as_micros().to_le_bytes());
}

/// What a record says about its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed<'a> {
    /// The event's place in the log.
    pub sequence: Sequence,
    /// Its stream.
    pub stream: &'a str,
    /// Its place there.
    pub version: Version,
    /// The whole record.
    pub bytes: &'a [u8],
}

/// Checks the record at the start of `bytes`, and says where it belongs. What follows it does not matter.
pub fn placed(bytes: &[u8]) -> Result<Placed<'_>, DecodeError> {
    let record = RecordRef::parse(bytes)?;
    Ok(Placed {
        sequence: record.sequence(),
        stream: record.stream(),
        version: record.version(),
        bytes: bytes.get(..record.len()).unwrap_or_default(),
    })
}

fn stored_content_type(event: &NewEvent) -> &str {
    if event.content_type == ContentType::JSON { "" } else { event.content_type.as_str() }
}

/// Lengths are validated earlier; one that does not fit saturates and makes the record unreadable, never wrong.
fn narrow<T: TryFrom<usize> + Max>(length: usize) -> T {
    T::try_from(length).unwrap_or(T::MAX)
}

trait Max {
    const MAX: Self;
}
impl Max for u8 {
    const MAX: Self = u8::MAX;
}
impl Max for u16 {
    const MAX: Self = u16::MAX;
}
impl Max for u32 {
    const MAX: Self = u32::MAX;
}

pub(crate) fn put_str16(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&narrow::<u16>(text.len()).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A record, checked and borrowed.
#[derive(Clone, Copy)]
pub(crate) struct RecordRef<'a> {
    header: &'a [u8; HEADER_BYTES],
    body: &'a [u8],
}

impl<'a> RecordRef<'a> {
    /// Checks the record at the start of `bytes`; what follows it does not matter.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (header, _) = bytes.split_first_chunk().ok_or(DecodeError::new("it ends within its header"))?;
        let record = Self { header, body: &[] };
        if record.header[4] != FORMAT {
            return Err(DecodeError::new("its format is not known to this release"));
        }
        let body =
            bytes.get(HEADER_BYTES..record.len()).ok_or(DecodeError::new("it is shorter than it says"))?;
        let record = Self { header, body };
        let names_end = record.type_end() + record.content_type_len();
        if record.header[5] == 0 || record.header[6] == 0 || names_end + record.tail_len() != body.len() {
            return Err(DecodeError::new("its lengths do not add up"));
        }
        let names = body.get(..names_end).unwrap_or_default();
        let names = std::str::from_utf8(names).map_err(|_| DecodeError::new("a name is not UTF-8"))?;
        if names.get(record.type_end()..) == Some(ContentType::JSON_STR) {
            return Err(DecodeError::new("the content type of JSON is spelled out"));
        }
        if names.is_char_boundary(record.stream_len()) && names.is_char_boundary(record.type_end()) {
            Ok(record)
        } else {
            Err(DecodeError::new("a name ends within a character"))
        }
    }

    /// The record at the start of `bytes`, which `parse` accepted earlier: only bounds are checked.
    pub(crate) fn parsed_before(bytes: &'a [u8]) -> Self {
        const EMPTY: &[u8; HEADER_BYTES] = &[0; HEADER_BYTES];
        let header = bytes.first_chunk().unwrap_or(EMPTY);
        let record = Self { header, body: &[] };
        Self { header, body: bytes.get(HEADER_BYTES..record.len()).unwrap_or_default() }
    }

    pub(crate) fn len(&self) -> usize {
        usize::try_from(u32::from_le_bytes(self.field(0))).unwrap_or(usize::MAX)
    }
    pub(crate) fn schema_version(&self) -> u32 {
        u32::from_le_bytes(self.field(8))
    }
    pub(crate) fn sequence(&self) -> Sequence {
        Sequence::new(u64::from_le_bytes(self.field(16)))
    }
    pub(crate) fn version(&self) -> Version {
        Version::new(u64::from_le_bytes(self.field(24)))
    }
    pub(crate) fn recorded_at(&self) -> Timestamp {
        Timestamp::from_micros(i64::from_le_bytes(self.field(32)))
    }
    pub(crate) fn id(&self) -> EventId {
        EventId::from_bytes(self.field(40))
    }
    pub(crate) fn stream(&self) -> &'a str {
        self.text(0, self.stream_len())
    }
    pub(crate) fn event_type(&self) -> &'a str {
        self.text(self.stream_len(), self.type_end())
    }
    pub(crate) fn content_type(&self) -> &'a str {
        let (from, to) = (self.type_end(), self.type_end() + self.content_type_len());
        if from == to { ContentType::JSON_STR } else { self.text(from, to) }
    }
    pub(crate) fn metadata(&self) -> Result<Metadata, DecodeError> {
        let from = self.type_end() + self.content_type_len();
        Metadata::decode(self.body.get(from..from + self.metadata_len()).unwrap_or_default())
    }
    pub(crate) fn tags(&self) -> Result<Vec<Tag>, DecodeError> {
        let end = self.body.len() - self.payload_len().min(self.body.len());
        let mut reader = Reader::new(self.body.get(end - self.tags_len().min(end)..end).unwrap_or_default());
        let mut tags = Vec::new();
        while !reader.is_empty() {
            let [length] = reader.array()?;
            let tag = reader.text(usize::from(length))?;
            tags.push(Tag::new(tag).map_err(|_| DecodeError::new("a tag is not valid"))?);
        }
        Ok(tags)
    }
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.body.get(self.payload_start()..).unwrap_or_default()
    }
    /// Where the payload begins in the record.
    pub(crate) fn payload_offset(&self) -> usize {
        HEADER_BYTES + self.payload_start()
    }

    pub(crate) fn to_recorded(self, payload: Bytes) -> Result<RecordedEvent, DecodeError> {
        let invalid = |_| DecodeError::new("a name is not valid");
        let content_type = match self.content_type() {
            ContentType::JSON_STR => ContentType::JSON,
            other => ContentType::new(other.to_owned()).map_err(invalid)?,
        };
        Ok(RecordedEvent {
            sequence: self.sequence(),
            stream: StreamName::new(self.stream()).map_err(invalid)?,
            version: self.version(),
            recorded_at: self.recorded_at(),
            event: NewEvent {
                id: self.id(),
                event_type: EventType::new(self.event_type()).map_err(invalid)?,
                schema_version: self.schema_version(),
                content_type,
                payload,
                metadata: self.metadata()?,
                tags: self.tags()?,
            },
        })
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.header.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }
    fn stream_len(&self) -> usize {
        usize::from(self.header[5])
    }
    fn type_end(&self) -> usize {
        self.stream_len() + usize::from(self.header[6])
    }
    fn content_type_len(&self) -> usize {
        usize::from(self.header[7])
    }
    fn metadata_len(&self) -> usize {
        usize::from(u16::from_le_bytes(self.field(12)))
    }
    fn tags_len(&self) -> usize {
        usize::from(u16::from_le_bytes(self.field(14)))
    }
    fn payload_len(&self) -> usize {
        usize::try_from(u32::from_le_bytes(self.field(56))).unwrap_or(usize::MAX)
    }
    fn payload_start(&self) -> usize {
        self.body.len().saturating_sub(self.payload_len())
    }
    fn tail_len(&self) -> usize {
        self.payload_len().saturating_add(self.metadata_len() + self.tags_len())
    }
    fn text(&self, from: usize, to: usize) -> &'a str {
        std::str::from_utf8(self.body.get(from..to).unwrap_or_default()).unwrap_or_default()
    }
}

impl ContentType {
    const JSON_STR: &'static str = "application/json";
}

/// A cursor over bytes that may end too early.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(DecodeError::new("a field is cut off"))?;
        self.rest = rest;
        Ok(*array)
    }
    pub(crate) fn text(&mut self, length: usize) -> Result<&'a str, DecodeError> {
        let (bytes, rest) =
            self.rest.split_at_checked(length).ok_or(DecodeError::new("a text is cut off"))?;
        self.rest = rest;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::new("a text is not UTF-8"))
    }
    pub(crate) fn str16(&mut self) -> Result<&'a str, DecodeError> {
        let length = u16::from_le_bytes(self.array()?);
        self.text(usize::from(length))
    }
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::new("bytes are left over")) }
    }
}
