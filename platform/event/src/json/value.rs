//! A JSON value with exact numbers.

use super::{JsonError, parse};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, ops::Index};

/// A JSON value. Its numbers keep all their digits, unlike those of [`serde_json::Value`]; convert one of these with
/// `json!({...}).into()`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(JsonNumber),
    /// Text.
    String(String),
    /// Values in order.
    Array(Vec<Self>),
    /// Values by name.
    Object(BTreeMap<String, Self>),
}

/// A number as its digits. Two numbers are equal if they are written alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonNumber(Box<str>);

impl JsonNumber {
    pub(super) fn new(digits: &str) -> Self {
        Self(digits.into())
    }

    /// The number as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Json {
    /// Parses `json`. Of an object's fields with the same name, the last one counts.
    pub fn parse(json: &[u8]) -> Result<Self, JsonError> {
        parse::parse(json)
    }

    /// The field `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// Sets the field `name` of an object.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Self>) -> Result<(), JsonError> {
        match self {
            Self::Object(fields) => {
                fields.insert(name.into(), value.into());
                Ok(())
            }
            other => Err(JsonError::new(format!("it is {}, not an object", other.kind()))),
        }
    }

    /// Takes the field `name` out of an object.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        match self {
            Self::Object(fields) => fields.remove(name),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// The number, if this is one that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.number()
    }

    /// The number, if this is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.number()
    }

    /// The number, if this is one that fits.
    pub fn as_u128(&self) -> Option<u128> {
        self.number()
    }

    /// The number, if this is one that fits.
    pub fn as_i128(&self) -> Option<i128> {
        self.number()
    }

    /// The `f64` nearest to the number, if this is one.
    pub fn as_f64(&self) -> Option<f64> {
        self.number()
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// The fields, if this is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    fn number<N: std::str::FromStr>(&self) -> Option<N> {
        if let Self::Number(number) = self { number.0.parse().ok() } else { None }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

static NULL: Json = Json::Null;

/// The field of an object; `null` if there is none.
impl Index<&str> for Json {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        self.get(name).unwrap_or(&NULL)
    }
}

/// As JSON, without spaces.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(bool) => bool.fmt(f),
            Self::Number(number) => f.write_str(&number.0),
            Self::String(text) => write_text(f, text),
            Self::Array(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if at == 0 { "[" } else { "," })?;
                }
                f.write_str(if elements.is_empty() { "[]" } else { "]" })
            }
            Self::Object(fields) => {
                for (at, (name, value)) in fields.iter().enumerate() {
                    f.write_str(if at == 0 { "{" } else { "," })?;
                    write_text(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_str(if fields.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Number(number) => Self::Number(JsonNumber(number.to_string().into())),
            Value::String(text) => Self::String(text),
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                Self::Object(fields.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

impl From<bool> for Json {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Vec<Self>> for Json {
    fn from(elements: Vec<Self>) -> Self {
        Self::Array(elements)
    }
}

macro_rules! from_integer {
    ($($type:ty),+) => {$(
        impl From<$type> for Json {
            fn from(number: $type) -> Self {
                Self::Number(JsonNumber(number.to_string().into()))
            }
        }
    )+};
}

from_integer!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::JSON_DEPTH_MAX;
    use serde_json::json;

    #[test]
    fn a_value_keeps_every_digit() {
        let text =
            r#"{"a":[340282366920938463463374607431768211455,-0.0,1E400,0.1000],"b":"\"\u0000","c":null}"#;
        let json = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(json.to_string(), text);
        let numbers = json["a"].as_array().unwrap();
        assert_eq!((numbers[0].as_u128(), numbers[0].as_u64()), (Some(u128::MAX), None));
        assert_eq!(numbers[1].as_f64().map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert_eq!((json["b"].as_str(), &json["d"]), (Some("\"\0"), &Json::Null));
    }

    #[test]
    fn what_is_no_json_and_what_is_too_deep_is_refused() {
        for text in ["", "{", "[1,]", "nul", "01", "{\"a\":1}x", "\"\\x\"", "\u{1}"] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert!(Json::parse(nested(JSON_DEPTH_MAX + 1).as_bytes()).is_err());
        assert!(Json::parse(nested(1 << 19).as_bytes()).is_err(), "and uses no stack for it");
    }

    #[test]
    fn only_an_object_has_fields() {
        let mut json = Json::from(json!({"a": 1}));
        json.set("b", u128::MAX).unwrap();
        assert_eq!(json.take("a"), Some(1.into()));
        assert_eq!(json.to_string(), format!("{{\"b\":{}}}", u128::MAX));
        let refused = Json::from("text").set("a", true).unwrap_err();
        assert_eq!(refused.to_string(), "it is a string, not an object");
    }
}
