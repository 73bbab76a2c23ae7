//! What an append's frame has beside its records: the marks that it set.

use crate::num::{put, to_u32, u32_at};
use annals_event::{MarkName, Sequence};

/// The marks' length.
pub(crate) const PRELUDE_BYTES: usize = 4;

/// The payload of an append's frame, taken apart.
pub(crate) struct AppendPayload<'a> {
    pub(crate) marks: &'a [u8],
    /// Where the records begin in the payload.
    pub(crate) records_at: usize,
}

impl<'a> AppendPayload<'a> {
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        let records_at = PRELUDE_BYTES.checked_add(u32_at(payload, 0) as usize)?;
        let marks = payload.get(PRELUDE_BYTES..records_at)?;
        Some(Self { marks, records_at })
    }

    /// The marks that the append set; `None` when they are not well-formed.
    pub(crate) fn marks(&self) -> Option<Vec<(MarkName, Sequence)>> {
        let (mut rest, mut marks) = (self.marks, Vec::new());
        while let Some((&length, after)) = rest.split_first() {
            let (name, after) = after.split_at_checked(usize::from(length))?;
            let (value, after) = after.split_first_chunk()?;
            let name = MarkName::new(std::str::from_utf8(name).ok()?).ok()?;
            marks.push((name, Sequence::new(u64::from_le_bytes(*value))));
            rest = after;
        }
        Some(marks)
    }
}

/// How many bytes a mark with the longest name takes.
pub(crate) const MARK_BYTES_MAX: usize = 1 + 255 + 8;

/// Adds a mark, as checkpoints, bases and appends have it.
pub(crate) fn put_mark(mark: &MarkName, value: Sequence, out: &mut Vec<u8>) {
    out.push(u8::try_from(mark.as_str().len()).unwrap_or(u8::MAX));
    out.extend_from_slice(mark.as_str().as_bytes());
    out.extend_from_slice(&value.get().to_le_bytes());
}

/// Appends the part of an append's payload that stands before its records.
pub(crate) fn encode_prelude<'a>(marks: impl Iterator<Item = (&'a MarkName, Sequence)>, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend_from_slice(&[0; PRELUDE_BYTES]);
    marks.for_each(|(mark, value)| put_mark(mark, value, out));
    let marks_bytes = to_u32(out.len() - at - PRELUDE_BYTES);
    put(out, at, &marks_bytes.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_payload_before_the_records_has_these_bytes() {
        let mark = MarkName::new("m/1").unwrap();
        let mut bytes = Vec::new();
        encode_prelude([(&mark, Sequence::new(8))].into_iter(), &mut bytes);
        assert_eq!(bytes, [&[12, 0, 0, 0], &[3, b'm', b'/', b'1'], &8_u64.to_le_bytes()[..]].concat());
        let payload = AppendPayload::parse(&bytes).unwrap();
        assert_eq!(payload.records_at, bytes.len());
        assert_eq!(payload.marks().unwrap(), [(mark, Sequence::new(8))]);
    }

    proptest! {
        #[test]
        fn any_payload_can_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(payload) = AppendPayload::parse(&bytes) {
                let _ = payload.marks();
            }
        }
    }
}
