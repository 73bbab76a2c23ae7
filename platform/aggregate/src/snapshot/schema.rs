use crate::Aggregate;
use annals_event::json::{self, Json};
use serde::Serialize;
use std::{any::type_name, fmt, sync::Arc};
use xxhash_rust::xxh3::xxh3_128;

/// Whose state a snapshot holds, and in which form: the aggregate's type, its
/// [`SNAPSHOT_VERSION`](Aggregate::SNAPSHOT_VERSION), and a hash of the names and kinds of the fields of its default state.
///
/// Two aggregates may fold the same stream and keep their snapshots in the same place. Another compiler may name a
/// type differently; then the stream is folded once more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotSchema(Arc<str>);

impl SnapshotSchema {
    /// The schema of the snapshots of `A`.
    pub fn of<A: Aggregate + Serialize>() -> Self {
        let state = json::to_vec(&A::default()).and_then(|json| Json::parse(&json));
        let fields = state.map_or_else(|_| String::new(), |state| shape(&state));
        let (aggregate, version) = (type_name::<A>(), A::SNAPSHOT_VERSION);
        Self::new(format!("{aggregate} {version} {:032x}", xxh3_128(fields.as_bytes())))
    }

    /// The schema that is written as `text`.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The schema as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnapshotSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kinds of values the JSON consists of.
fn shape(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(_) => "bool".to_owned(),
        Json::Number(_) => "number".to_owned(),
        Json::String(_) => "string".to_owned(),
        Json::Array(elements) => format!("[{}]", elements.iter().map(shape).collect::<Vec<_>>().join(",")),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name:?}:{}", shape(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}
