//! A table of the service's own, as a type of its own.
//!
//! A field of any type that serde knows may be set by the file, a variable or a flag: text becomes a number or a list where the
//! type wants one. A field `password` may be given as `password_file`, whose content it is then.

use super::{
    error::{ConfigError, nearest},
    keys::variable_of,
    layers::{Leaf, Leaves, Origin, Written},
    secret::{SECRET_TYPE, is_secret},
};
use crate::text::Text;
use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, Visitor,
        value::{Error as Unwanted, MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, btree_map::Entry},
    fs,
    rc::Rc,
};

/// What a field's name ends with when its value is in a file.
const IN_FILE: &str = "_file";

/// The table as a `T`.
pub(super) fn settings<T: DeserializeOwned>(leaves: &Leaves, table: &str) -> Result<T, ConfigError> {
    let failed = Failed::default();
    let node = match leaves.get(table) {
        Some(leaf) => Node { key: table.to_owned(), failed: failed.clone(), kind: Kind::of(leaf) },
        None => Node::table(table.to_owned(), leaves.below(table), &failed),
    };
    serde_path_to_error::deserialize(node).map_err(|error| {
        let told = failed.take();
        told.unwrap_or_else(|| refused(leaves, table, &error.path().to_string(), error.inner()))
    })
}

fn refused(leaves: &Leaves, table: &str, path: &str, error: &Unwanted) -> ConfigError {
    let (key, serde_says) =
        (if path == "." { table.to_owned() } else { format!("{table}.{path}") }, error.to_string());
    if let Some(field) = serde_says.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let key = format!("{key}.{field}");
        return ConfigError::Missing { variable: variable_of(&key), key };
    }
    let origin = leaves.get(&key).map_or(Origin::Default, |leaf| leaf.origin.clone());
    let reason =
        if is_secret(&key) { "it cannot have this value, which is not shown" } else { serde_says.as_str() };
    ConfigError::value(&key, &origin, reason)
}

/// What is wrong, where serde could not say it all.
type Failed = Rc<RefCell<Option<ConfigError>>>;

/// A value or a table, on its way into a type.
struct Node {
    key: String,
    failed: Failed,
    kind: Kind,
}

enum Kind {
    Leaf(Leaf),
    Table(BTreeMap<String, Node>),
}

impl Kind {
    /// A value. Text is text, wherever it was written.
    fn of(leaf: &Leaf) -> Self {
        let written = match &leaf.written {
            Written::Toml(toml::Value::String(text)) => Written::Text(text.clone()),
            other => other.clone(),
        };
        Self::Leaf(Leaf { written, origin: leaf.origin.clone() })
    }
}

impl Node {
    fn table<'a>(key: String, leaves: impl Iterator<Item = (&'a str, &'a Leaf)>, failed: &Failed) -> Self {
        let mut below: BTreeMap<&str, Vec<(&str, &Leaf)>> = BTreeMap::new();
        for (name, leaf) in leaves {
            let (first, rest) = name.split_once('.').unwrap_or((name, ""));
            match below.entry(first) {
                Entry::Occupied(mut entry) => entry.get_mut().push((rest, leaf)),
                Entry::Vacant(entry) => drop(entry.insert(vec![(rest, leaf)])),
            }
        }
        let node = |name: &str, leaves: Vec<(&str, &Leaf)>| match leaves.as_slice() {
            [("", leaf)] => {
                Self { key: format!("{key}.{name}"), failed: failed.clone(), kind: Kind::of(leaf) }
            }
            _ => Self::table(format!("{key}.{name}"), leaves.into_iter(), failed),
        };
        let kind = Kind::Table(
            below.into_iter().map(|(name, leaves)| (name.to_owned(), node(name, leaves))).collect(),
        );
        Self { key, failed: failed.clone(), kind }
    }

    fn fail(&self, error: ConfigError) -> Unwanted {
        *self.failed.borrow_mut() = Some(error);
        Unwanted::custom("told apart")
    }

    fn origin(&self) -> Origin {
        match &self.kind {
            Kind::Leaf(leaf) => leaf.origin.clone(),
            Kind::Table(nodes) => nodes.values().next().map_or(Origin::Default, Self::origin),
        }
    }

    /// The table with the fields that a type has: what is in files is read, and nothing is left over.
    fn with_fields(mut self, fields: &[&str]) -> Result<Self, Unwanted> {
        let Kind::Table(nodes) = &mut self.kind else { return Ok(self) };
        let unknown: Vec<_> = nodes.keys().filter(|name| !fields.contains(&name.as_str())).cloned().collect();
        for name in unknown {
            let Some(node) = nodes.remove(&name) else { continue };
            match name.strip_suffix(IN_FILE).filter(|field| fields.contains(field)) {
                Some(field) => {
                    let read = node.read_file()?;
                    if nodes.contains_key(field) {
                        let both = ConfigError::value(
                            &read.key,
                            &read.origin(),
                            format!("{field} is set as well; leave one out"),
                        );
                        return Err(read.fail(both));
                    }
                    nodes.insert(field.to_owned(), read);
                }
                None => {
                    let prefix = node.key.strip_suffix(name.as_str()).unwrap_or_default();
                    let nearest =
                        nearest(&name, fields.iter().copied()).map(|near| format!("{prefix}{near}"));
                    let unknown =
                        ConfigError::Unknown { key: node.key.clone(), origin: node.origin(), nearest };
                    return Err(node.fail(unknown));
                }
            }
        }
        Ok(self)
    }

    /// The content of the file that this names, without the end of its last line.
    fn read_file(self) -> Result<Self, Unwanted> {
        let Kind::Leaf(Leaf { written, origin }) = &self.kind else { return Ok(self) };
        let path = match written {
            Written::Text(path) => path,
            Written::Toml(_) => {
                return Err(self.fail(ConfigError::value(
                    &self.key,
                    origin,
                    "it must be the name of a file, in quotes",
                )));
            }
        };
        match fs::read_to_string(path) {
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']).to_owned();
                let leaf = Leaf { written: Written::Text(text), origin: Origin::File(path.clone()) };
                Ok(Self { kind: Kind::Leaf(leaf), ..self })
            }
            Err(cause) => {
                let what = format!("{} (from {origin})", self.key);
                let error = ConfigError::File { what, path: path.into(), cause };
                Err(self.fail(error))
            }
        }
    }
}

impl IntoDeserializer<'_, Unwanted> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn of_toml(error: &toml::de::Error) -> Unwanted {
    Unwanted::custom(error.message())
}

macro_rules! scalars {
    ($($deserialize:ident)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unwanted> {
            match self.kind {
                Kind::Leaf(Leaf { written: Written::Text(text), .. }) => Text(text).$deserialize(visitor),
                _ => self.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Node {
    type Error = Unwanted;

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unwanted> {
        match self.kind {
            Kind::Table(nodes) => visitor.visit_map(MapDeserializer::new(nodes.into_iter())),
            Kind::Leaf(Leaf { written: Written::Text(text), .. }) => visitor.visit_string(text),
            Kind::Leaf(Leaf { written: Written::Toml(value), .. }) => {
                value.deserialize_any(visitor).map_err(|error| of_toml(&error))
            }
        }
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unwanted> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unwanted> {
        match &self.kind {
            Kind::Leaf(Leaf { origin: origin @ Origin::Flag(_), .. }) if name == SECRET_TYPE => {
                let (key, variable) = (&self.key, variable_of(&self.key));
                let reason =
                    format!("everybody on this machine can read a flag; use {key}_file or {variable}");
                Err(self.fail(ConfigError::value(key, origin, reason)))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unwanted> {
        self.with_fields(fields)?.deserialize_any(visitor)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unwanted> {
        match self.kind {
            Kind::Leaf(Leaf { written: Written::Text(text), .. }) => {
                let parts: Vec<_> = text.split(',').map(|part| Text(part.trim().to_owned())).collect();
                visitor.visit_seq(SeqDeserializer::new(parts.into_iter()))
            }
            _ => self.deserialize_any(visitor),
        }
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unwanted> {
        match self.kind {
            Kind::Table(nodes) => {
                let map = MapDeserializer::new(nodes.into_iter());
                MapAccessDeserializer::new(map).deserialize_enum(name, variants, visitor)
            }
            Kind::Leaf(Leaf { written: Written::Text(text), .. }) => {
                Text(text).deserialize_enum(name, variants, visitor)
            }
            Kind::Leaf(Leaf { written: Written::Toml(value), .. }) => {
                value.deserialize_enum(name, variants, visitor).map_err(|error| of_toml(&error))
            }
        }
    }
    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map identifier ignored_any
    }
}
