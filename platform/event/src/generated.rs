//! What the code that `#[derive(Event)]` generates is made of.

use crate::{CodecError, Tag, limits};
use std::fmt::Display;

/// The tags of an event while its fields are gone through.
#[derive(Debug)]
pub struct Tags {
    event_type: &'static str,
    tags: Vec<Tag>,
}

impl Tags {
    /// No tags yet.
    pub fn of(event_type: &'static str) -> Self {
        Self { event_type, tags: Vec::new() }
    }

    /// Adds `key:value` if it is not there yet; an error if that is no valid tag, or one too many.
    pub fn push(&mut self, key: &str, value: &impl Display) -> Result<(), CodecError> {
        let text = value.to_string();
        let wrong = |error: String| CodecError::unfit_tag(self.event_type, format!("tag {key:?}: {error}"));
        if text.is_empty() {
            return Err(wrong("its value is empty".to_owned()));
        }
        let tag = Tag::new(format!("{key}:{text}")).map_err(|error| wrong(error.to_string()))?;
        if self.tags.contains(&tag) {
            return Ok(());
        }
        if self.tags.len() >= limits::EVENT_TAGS_MAX {
            return Err(wrong(format!("an event has at most {} tags", limits::EVENT_TAGS_MAX)));
        }
        self.tags.push(tag);
        Ok(())
    }

    /// All of them.
    pub fn finish(self) -> Vec<Tag> {
        self.tags
    }
}

type Types = [(&'static str, u32)];

/// How many types there are in all parts.
#[must_use]
pub const fn count(parts: &[&Types]) -> usize {
    let (mut parts, mut sum) = (parts, 0);
    while let [part, rest @ ..] = parts {
        sum += part.len();
        parts = rest;
    }
    sum
}

/// The types of all parts, one after another. Does not compile if a type is there twice.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "it runs in the compiler")]
pub const fn join<const N: usize>(parts: &[&'static Types]) -> [(&'static str, u32); N] {
    let mut all = [("", 0); N];
    let (mut parts, mut at) = (parts, 0);
    while let [part, rest @ ..] = parts {
        let mut types: &Types = part;
        while let [first, others @ ..] = types {
            assert!(!is_among(all.split_at(at).0, first.0), "two variants hold events of the same type");
            all[at] = *first;
            at += 1;
            types = others;
        }
        parts = rest;
    }
    all
}

const fn is_among(types: &Types, name: &str) -> bool {
    let mut types = types;
    while let [(known, _), rest @ ..] = types {
        if equal(known.as_bytes(), name.as_bytes()) {
            return true;
        }
        types = rest;
    }
    false
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    match (a, b) {
        ([], []) => true,
        ([x, a @ ..], [y, b @ ..]) => *x == *y && equal(a, b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_is_there_already_is_never_one_too_many() {
        let mut tags = Tags::of("order.placed");
        (0..limits::EVENT_TAGS_MAX).for_each(|item| tags.push("item", &item).unwrap());
        tags.push("item", &0).unwrap();
        assert!(tags.push("item", &limits::EVENT_TAGS_MAX).is_err());
        assert_eq!(tags.finish().len(), limits::EVENT_TAGS_MAX);
    }
}
