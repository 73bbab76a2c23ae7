//! Parsing JSON into a value with exact numbers.
//!
//! What always holds: the text is scanned once to see that it is JSON, and once to take it apart, however deeply it
//! is nested.

use super::{Json, JsonError, JsonNumber};
use crate::limits::JSON_DEPTH_MAX;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The value in `json`.
pub(super) fn parse(json: &[u8]) -> Result<Json, JsonError> {
    let raw: &RawValue = read(json)?;
    Rest(raw.get()).value(0)
}

fn read<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Result<T, JsonError> {
    #[cfg(test)]
    tests::READ_BYTES.with(|read| read.set(read.get() + json.len()));
    serde_json::from_slice(json).map_err(|error| JsonError::new(error.to_string()))
}

/// What is left of a text that is JSON.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// The next value; it is nested in `depth` containers.
    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        match self.next() {
            Some(b'{' | b'[') if depth == JSON_DEPTH_MAX => {
                Err(JsonError::new(format!("it is nested deeper than {JSON_DEPTH_MAX} levels")))
            }
            Some(b'{') => {
                let mut fields = BTreeMap::new();
                self.each(b'}', |rest| {
                    let name = rest.text()?;
                    // The colon.
                    rest.next();
                    rest.take(1);
                    fields.insert(name, rest.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Json::Object(fields))
            }
            Some(b'[') => {
                let mut elements = Vec::new();
                self.each(b']', |rest| {
                    elements.push(rest.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Json::Array(elements))
            }
            Some(b'"') => self.text().map(Json::String),
            _ => Ok(self.word()),
        }
    }

    /// Goes through a container, with `one` for each of its elements.
    fn each(
        &mut self,
        end: u8,
        mut one: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.take(1);
        while let Some(next) = self.next() {
            if next == end || next == b',' {
                self.take(1);
            } else {
                one(self)?;
            }
            if next == end {
                break;
            }
        }
        Ok(())
    }

    fn text(&mut self) -> Result<String, JsonError> {
        let mut bytes = self.0.bytes().enumerate().skip(1);
        let mut end = self.0.len();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    end = at + 1;
                    break;
                }
                b'\\' => drop(bytes.next()),
                _ => {}
            }
        }
        read(self.take(end).as_bytes())
    }

    /// A value without quotes: a number, `true`, `false` or `null`.
    fn word(&mut self) -> Json {
        let end = self.0.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(self.0.len());
        match self.take(end) {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            number => Json::Number(JsonNumber::new(number)),
        }
    }

    /// The next byte after any white space; it is not consumed.
    fn next(&mut self) -> Option<u8> {
        self.0 = self.0.trim_ascii_start();
        self.0.bytes().next()
    }

    fn take(&mut self, count: usize) -> &'a str {
        let (taken, rest) = self.0.split_at_checked(count).unwrap_or((self.0, ""));
        self.0 = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// How many bytes were read as JSON.
        pub(super) static READ_BYTES: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn what_is_nested_deep_is_not_read_once_for_each_level() {
        let text = "x".repeat(1 << 20);
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let (open, close) = (open.repeat(JSON_DEPTH_MAX), close.repeat(JSON_DEPTH_MAX));
            let json = format!("{open}\"{text}\"{close}");
            READ_BYTES.set(0);
            assert_eq!(parse(json.as_bytes()).unwrap().to_string(), json);
            assert!(READ_BYTES.get() <= 2 * json.len(), "{} of {} bytes", READ_BYTES.get(), json.len());
        }
    }

    #[test]
    fn white_space_and_escapes_are_where_json_has_them() {
        let json =
            "\t{ \"a\\\"\\\\\" :\r\n[ 1 ,\"}\\u00e9,]\" , { } , [ ], true\n,null ] , \"b\" : -1.50e+2 }\n ";
        let parsed = parse(json.as_bytes()).unwrap();
        assert_eq!(parsed.to_string(), r#"{"a\"\\":[1,"}é,]",{},[],true,null],"b":-1.50e+2}"#);
    }
}
