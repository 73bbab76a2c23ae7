//! JSON in which a struct is an object. serde's derives also take an array of the fields' values in order, wherever a struct
//! stands: a caller would depend on an order that nobody promised.
//!
//! Everything that a type asks of the deserializer is passed on, in depth, but where it asks for a struct a map is asked for. What
//! a type takes through serde's own buffer (untagged, internally tagged and flattened) is as serde makes it.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::MapAccessDeserializer,
};
use std::fmt;

/// The value in `json`, with the path of the field in the error.
pub(crate) fn from_slice<T: DeserializeOwned>(
    json: &[u8],
) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(Strict(&mut deserializer))?;
    let at_end = deserializer.end();
    at_end
        .map_err(|error| serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error))?;
    Ok(value)
}

/// Wraps each part of serde's protocol, so that what is inside is wrapped too.
struct Strict<T>(T);

macro_rules! pass_on {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(Strict(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    pass_on! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Strict(visitor))
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Strict(visitor))
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(length, Strict(visitor))
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, length, Strict(visitor))
    }
    /// Asks for anything: serde_json takes a number in place of a variant for a fault of the syntax.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Variant { visitor, variants })
    }
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! take {
    ($($method:ident: $value:ty,)*) => {
        $(fn $method<E: serde::de::Error>(self, value: $value) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
    take! {
        visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128, visit_f64: f64, visit_char: char,
        visit_str: &str, visit_borrowed_str: &'de str, visit_string: String,
        visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>,
    }
    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(deserializer))
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(deserializer))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(elements))
    }
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(entries))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

/// A variant: its name alone, or an object whose one field is its name and holds its content.
struct Variant<V> {
    visitor: V,
    variants: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Variant<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variants.iter().map(|name| format!("`{name}`"));
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(name.into_deserializer())
    }
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(MapAccessDeserializer::new(Strict(entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Order {
        id: Option<Id>,
        lines: Vec<Line>,
        pair: (u8, u8),
        how: How,
        size: u128,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(String);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Line {
        cents: i64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum How {
        Post,
        Courier { hours: u8 },
    }

    fn refusal(json: &str) -> String {
        from_slice::<Order>(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_as_it_should_be_is_taken() {
        let size = u128::MAX;
        let json = format!(
            r#"{{"id":"a","lines":[{{"cents":1}}],"pair":[1,2],"how":{{"Courier":{{"hours":3}}}},"size":{size}}}"#
        );
        let order = from_slice::<Order>(json.as_bytes()).unwrap();
        let expected = Order {
            id: Some(Id("a".into())),
            lines: vec![Line { cents: 1 }],
            pair: (1, 2),
            how: How::Courier { hours: 3 },
            size,
        };
        assert_eq!(order, expected);
        let json = r#"{"id":null,"lines":[],"pair":[1,2],"how":"Post","size":0}"#;
        assert_eq!(from_slice::<Order>(json.as_bytes()).unwrap().how, How::Post);
    }

    #[test]
    fn an_array_is_no_struct_at_the_top_inside_and_in_a_variant() {
        let top = refusal(r#"[null,[],[1,2],"Post",0]"#);
        assert!(top.contains("invalid type: sequence, expected struct Order"), "{top}");
        let inside = refusal(r#"{"id":null,"lines":[[1]],"pair":[1,2],"how":"Post","size":0}"#);
        assert!(inside.contains("lines[0]: invalid type: sequence, expected struct Line"), "{inside}");
        let variant = refusal(r#"{"id":null,"lines":[],"pair":[1,2],"how":{"Courier":[3]},"size":0}"#);
        let expected = "how.Courier: invalid type: sequence, expected struct variant How::Courier";
        assert!(variant.contains(expected), "{variant}");
    }

    #[test]
    fn a_field_twice_and_bytes_after_the_end_are_refused() {
        assert!(refusal(r#"{"id":null,"id":null}"#).contains("duplicate field `id`"));
        assert!(from_slice::<u8>(b"1 2").unwrap_err().to_string().contains("trailing"));
    }
}
