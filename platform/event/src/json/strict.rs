//! A serializer around serde_json's that refuses what would be read back as something else, and says where it stands.

use super::{JsonError, path};
use crate::limits::JSON_DEPTH_MAX;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::{cell::RefCell, fmt};

/// Why a value was refused, and the steps to it, innermost first. Filled only on the way out of an error.
#[derive(Default)]
pub(super) struct Trail {
    reason: RefCell<Option<String>>,
    steps: RefCell<Vec<String>>,
}

impl Trail {
    fn refuse<T, E: serde::ser::Error>(&self, reason: String) -> Result<T, E> {
        let error = E::custom(&reason);
        *self.reason.borrow_mut() = Some(reason);
        Err(error)
    }

    fn step(&self, step: String) {
        self.steps.borrow_mut().push(step);
    }

    /// The error that serialization ended with, with its place.
    pub(super) fn into_error(self, error: &serde_json::Error) -> JsonError {
        let steps = self.steps.into_inner();
        let place = path::place(steps.iter().rev().map(String::as_str));
        let reason = self.reason.into_inner().unwrap_or_else(|| error.to_string());
        JsonError::new(format!("{place}: {reason}"))
    }
}

/// The serializer of one value.
pub(super) struct Strict<'t, S> {
    inner: S,
    around: Around<'t>,
}

/// What surrounds a value.
#[derive(Clone, Copy)]
struct Around<'t> {
    trail: &'t Trail,
    /// How many objects and arrays.
    depth: usize,
    /// Whether the value is what a `Some` holds.
    some: bool,
}

impl<'t, S: Serializer> Strict<'t, S> {
    pub(super) fn new(inner: S, trail: &'t Trail) -> Self {
        Self { inner, around: Around { trail, depth: 0, some: false } }
    }

    /// The inner serializer for a value without content, which JSON has as `null`.
    fn null(self) -> Result<S, S::Error> {
        if self.around.some {
            return self.around.trail.refuse("a Some that holds nothing would be read back as None".into());
        }
        Ok(self.inner)
    }

    fn real(self, finite: bool, number: impl fmt::Display) -> Result<S, S::Error> {
        if finite {
            Ok(self.inner)
        } else {
            self.around.trail.refuse(format!("{number} is not a JSON number"))
        }
    }

    /// The inner serializer, and what is around the values within `levels` more containers.
    fn enter(self, levels: usize) -> Result<(S, Around<'t>), S::Error> {
        let Around { trail, depth, .. } = self.around;
        let depth = depth + levels;
        if depth > JSON_DEPTH_MAX {
            let deep = format!("it is nested deeper than {JSON_DEPTH_MAX} levels, the most that can be read");
            return trail.refuse(deep);
        }
        Ok((self.inner, Around { trail, depth, some: false }))
    }
}

/// A value that is serialized strictly wherever it stands.
struct Guarded<'v, 't, T: ?Sized> {
    value: &'v T,
    around: Around<'t>,
}

impl<T: Serialize + ?Sized> Serialize for Guarded<'_, '_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict { inner, around: self.around })
    }
}

impl<'t> Around<'t> {
    fn guard<'v, T: ?Sized>(self, value: &'v T) -> Guarded<'v, 't, T> {
        Guarded { value, around: self }
    }
}

macro_rules! pass_on {
    ($($method:ident($type:ty))+) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )+};
}

impl<'t, S: Serializer> Serializer for Strict<'t, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Within<'t, S::SerializeSeq>;
    type SerializeTuple = Within<'t, S::SerializeTuple>;
    type SerializeTupleStruct = Within<'t, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Within<'t, S::SerializeTupleVariant>;
    type SerializeMap = Within<'t, S::SerializeMap>;
    type SerializeStruct = Within<'t, S::SerializeStruct>;
    type SerializeStructVariant = Within<'t, S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.real(value.is_finite(), value)?.serialize_f32(value)
    }
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.real(value.is_finite(), value)?.serialize_f64(value)
    }
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.null()?.serialize_none()
    }
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.null()?.serialize_unit()
    }
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.null()?.serialize_unit_struct(name)
    }
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Around { some: true, ..self.around }.guard(value))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &self.around.guard(value))
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let (inner, around) = self.enter(1)?;
        let written = inner.serialize_newtype_variant(name, index, variant, &around.guard(value));
        written.inspect_err(|_| around.trail.step(path::field(variant)))
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let (inner, around) = self.enter(1)?;
        Ok(Within::new(inner.serialize_seq(len)?, around))
    }
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let (inner, around) = self.enter(1)?;
        Ok(Within::new(inner.serialize_tuple(len)?, around))
    }
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let (inner, around) = self.enter(1)?;
        Ok(Within::new(inner.serialize_tuple_struct(name, len)?, around))
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let (inner, around) = self.enter(2)?;
        Ok(Within::new(inner.serialize_tuple_variant(name, index, variant, len)?, around))
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let (inner, around) = self.enter(1)?;
        Ok(Within::new(inner.serialize_map(len)?, around))
    }
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        let (inner, around) = self.enter(1)?;
        Ok(Within::new(inner.serialize_struct(name, len)?, around))
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let (inner, around) = self.enter(2)?;
        Ok(Within::new(inner.serialize_struct_variant(name, index, variant, len)?, around))
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The serializer of what is within one container.
pub(super) struct Within<'t, C> {
    inner: C,
    around: Around<'t>,
    /// The index of the next element.
    next: usize,
    /// The key of the next value.
    key: String,
}

impl<'t, C> Within<'t, C> {
    const fn new(inner: C, around: Around<'t>) -> Self {
        Self { inner, around, next: 0, key: String::new() }
    }
}

macro_rules! elements {
    ($($of:ident::$method:ident)+) => {$(
        impl<C: $of> $of for Within<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let (at, around) = (self.next, self.around);
                self.next += 1;
                let written = self.inner.$method(&around.guard(value));
                written.inspect_err(|_| around.trail.step(path::element(at)))
            }
            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )+};
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($of:ident)+) => {$(
        impl<C: $of> $of for Within<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let around = self.around;
                let written = self.inner.serialize_field(name, &around.guard(value));
                written.inspect_err(|_| around.trail.step(path::field(name)))
            }
            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }
            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )+};
}

fields! { SerializeStruct SerializeStructVariant }

impl<C: SerializeMap> SerializeMap for Within<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.key = key_text(key);
        self.inner.serialize_key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let around = self.around;
        let written = self.inner.serialize_value(&around.guard(value));
        written.inspect_err(|_| around.trail.step(path::field(&self.key)))
    }
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), C::Error> {
        let around = self.around;
        let written = self.inner.serialize_entry(key, &around.guard(value));
        written.inspect_err(|_| around.trail.step(path::field(&key_text(key))))
    }
    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

/// The key as it stands in the object, for an error.
fn key_text<T: Serialize + ?Sized>(key: &T) -> String {
    match serde_json::to_value(key) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => "?".to_owned(),
    }
}
