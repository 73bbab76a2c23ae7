//! Values that come as text, in a query or a path: a type that wants a number gets one if the text is one.

use serde::de::{
    DeserializeOwned, Deserializer, Error, IntoDeserializer, Unexpected, Visitor,
    value::{Error as Unwanted, MapDeserializer},
};

/// One value.
pub(crate) struct Text(pub(crate) String);

/// The value that `text` is.
pub(crate) fn from_text<T: DeserializeOwned>(text: String) -> Result<T, Unwanted> {
    T::deserialize(Text(text))
}

/// The value whose fields these are, with the path of the field in the error.
pub(crate) fn from_pairs<T: DeserializeOwned>(
    pairs: Vec<(String, String)>,
) -> Result<T, serde_path_to_error::Error<Unwanted>> {
    let fields = pairs.into_iter().map(|(name, value)| (name, Text(value)));
    serde_path_to_error::deserialize(MapDeserializer::new(fields))
}

impl IntoDeserializer<'_, Unwanted> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parse {
    ($($deserialize:ident $visit:ident $name:literal)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unwanted> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Unwanted::invalid_value(Unexpected::Str(&self.0), &$name)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Text {
    type Error = Unwanted;

    parse! {
        deserialize_i8 visit_i8 "i8" deserialize_i16 visit_i16 "i16" deserialize_i32 visit_i32 "i32"
        deserialize_i64 visit_i64 "i64" deserialize_i128 visit_i128 "i128"
        deserialize_u8 visit_u8 "u8" deserialize_u16 visit_u16 "u16" deserialize_u32 visit_u32 "u32"
        deserialize_u64 visit_u64 "u64" deserialize_u128 visit_u128 "u128"
        deserialize_f32 visit_f32 "f32" deserialize_f64 visit_f64 "f64" deserialize_bool visit_bool "a boolean"
    }
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unwanted> {
        visitor.visit_string(self.0)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unwanted> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unwanted> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unwanted> {
        visitor.visit_enum(self.0.into_deserializer())
    }
    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
