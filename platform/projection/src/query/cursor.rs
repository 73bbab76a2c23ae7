use crate::{
    Value,
    packed::{pack, unpack},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, str::FromStr};
use xxhash_rust::xxh3::xxh3_64;

/// The first byte of a cursor.
const FORMAT: u8 = 1;

/// A place in a list: where the next page begins. Clients get it with a page and give it back as it is.
///
/// As text it is short and stands in a URL as it is: the format number, four bytes that identify the query, the position, and
/// four bytes that tell a cursor from other text. It is not secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    query: Fingerprint,
    position: Vec<Value>,
}

/// What a table, an order and what else belongs to a query are recognised by.
pub(super) type Fingerprint = [u8; 4];

/// Identifies `bytes` among those that come about by accident.
pub(super) fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let [a, b, c, d, ..] = xxh3_64(bytes).to_le_bytes();
    [a, b, c, d]
}

/// A text that is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor; use one that came with a page, as it was")]
pub struct InvalidCursor;

impl Cursor {
    pub(super) const fn new(query: Fingerprint, position: Vec<Value>) -> Self {
        Self { query, position }
    }

    /// The cells of the row that it stands behind, if it is of this query.
    pub(super) fn position_in(&self, query: Fingerprint) -> Option<&[Value]> {
        (self.query == query).then_some(&self.position)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (said, check) = bytes.split_last_chunk::<4>()?;
        let (query, mut cells) = said.strip_prefix(&[FORMAT])?.split_first_chunk()?;
        if fingerprint(said) != *check {
            return None;
        }
        let mut position = Vec::new();
        while !cells.is_empty() {
            position.push(unpack(&mut cells)?);
        }
        Some(Self { query: *query, position })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.query);
        self.position.iter().for_each(|cell| pack(&mut bytes, cell));
        bytes.extend(fingerprint(&bytes));
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;
    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        Self::decode(&bytes).ok_or(InvalidCursor)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        let position = vec![Value::Null, Value::Integer(-3), Value::Text("o-17".into())];
        Cursor::new(fingerprint(b"a query"), position)
    }

    #[test]
    fn a_cursor_that_was_given_out_stays_readable() {
        assert_eq!(cursor().to_string(), "AfE8L5MAAQUDBG8tMTcyz5AK");
        assert_eq!("AfE8L5MAAQUDBG8tMTcyz5AK".parse(), Ok(cursor()));
        assert_eq!(serde_json::to_string(&cursor()).unwrap(), "\"AfE8L5MAAQUDBG8tMTcyz5AK\"");
        assert_eq!(serde_json::from_str::<Cursor>("\"AfE8L5MAAQUDBG8tMTcyz5AK\"").unwrap(), cursor());
    }

    #[test]
    fn text_that_is_no_cursor_is_refused() {
        let good = cursor().to_string();
        let with = |at: usize, letter: &str| {
            let mut text = good.clone();
            text.replace_range(at..=at, letter);
            text
        };
        let changed = (0..good.len()).flat_map(|at| ["A", "x", "_"].map(|letter| with(at, letter)));
        let cut = (0..good.len()).map(|length| good.get(..length).unwrap().to_owned());
        let others = ["50", "?", "é", "'; DROP TABLE x", &"A".repeat(10_000)].map(str::to_owned);
        for bad in changed.chain(cut).chain(others).filter(|text| *text != good) {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad}");
        }
    }
}
