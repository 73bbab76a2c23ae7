//! JSON, the codec of payloads: one encoder and one decoder for all that is stored as JSON.
//!
//! What always holds:
//!
//! * What [`to_vec`] writes, [`from_slice`] can read as JSON: a number that JSON does not have, a `Some` that would
//!   be read as `None`, and a value that is nested too deep are errors that name the field.
//! * Numbers are exact: an `f64` keeps its bits and a 128-bit integer all its digits, also through [`Json`].

mod difference;
mod parse;
mod path;
mod strict;
mod value;

pub use value::{Json, JsonNumber};

use serde::{Serialize, de::DeserializeOwned};
use strict::{Strict, Trail};

/// Why a value cannot be stored as JSON, or why some JSON is not such a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct JsonError {
    reason: String,
}

impl JsonError {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// `value` as JSON. An error names the field that cannot be stored.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JsonError> {
    let (mut json, trail) = (Vec::with_capacity(128), Trail::default());
    let mut serializer = serde_json::Serializer::new(&mut json);
    match value.serialize(Strict::new(&mut serializer, &trail)) {
        Ok(()) => Ok(json),
        Err(error) => Err(trail.into_error(&error)),
    }
}

/// Decodes the value in `json`.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice(json).map_err(|error| JsonError::new(error.to_string()))
}

/// Checks that `again`, which is `written` decoded and encoded once more, is the same value. The order of an object's
/// keys and of an array's elements does not count, since maps and sets are written in any order.
pub fn check_read_back(written: &[u8], again: &[u8]) -> Result<(), JsonError> {
    if written == again {
        return Ok(());
    }
    let (written, again) = (Json::parse(written)?, Json::parse(again)?);
    let Some(steps) = difference::difference(&written, &again) else { return Ok(()) };
    let place = path::place(steps.iter().map(String::as_str));
    Err(JsonError::new(format!("{place}: it would be read back as something else")))
}
