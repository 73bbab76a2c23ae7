//! Where two values differ, without regard to the order of elements.
//!
//! What always holds: each value is visited once. Values get the same number if and only if they are equal, so that
//! they are compared by number.

use super::{Json, path};
use std::collections::{BTreeMap, HashMap};

/// The steps to where `a` differs from `b`.
pub(super) fn difference(a: &Json, b: &Json) -> Option<Vec<String>> {
    let mut numbers = Numbers(HashMap::new());
    let (a, b) = (numbers.numbered(a), numbers.numbered(b));
    let mut steps = a.difference(&b)?;
    steps.reverse();
    Some(steps)
}

/// A value, with numbers in place of the values within it.
#[derive(PartialEq, Eq, Hash)]
enum Shape<'a> {
    Scalar(&'a Json),
    /// Sorted.
    Elements(Vec<usize>),
    Fields(Vec<(&'a str, usize)>),
}

/// The values met so far.
struct Numbers<'a>(HashMap<Shape<'a>, usize>);

/// A value with its number.
struct Numbered<'a> {
    number: usize,
    is_null: bool,
    within: Within<'a>,
}

enum Within<'a> {
    Nothing,
    Elements(Vec<Numbered<'a>>),
    Fields(BTreeMap<&'a str, Numbered<'a>>),
}

impl<'a> Numbers<'a> {
    fn numbered(&mut self, json: &'a Json) -> Numbered<'a> {
        let (shape, within) = match json {
            Json::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(|element| self.numbered(element)).collect();
                let mut numbers: Vec<_> = elements.iter().map(|element| element.number).collect();
                numbers.sort_unstable();
                (Shape::Elements(numbers), Within::Elements(elements))
            }
            Json::Object(fields) => {
                let fields = fields.iter().map(|(name, field)| (name.as_str(), self.numbered(field)));
                let fields: BTreeMap<_, _> = fields.collect();
                let numbers = fields.iter().map(|(name, field)| (*name, field.number)).collect();
                (Shape::Fields(numbers), Within::Fields(fields))
            }
            scalar => (Shape::Scalar(scalar), Within::Nothing),
        };
        let next = self.0.len();
        let number = *self.0.entry(shape).or_insert(next);
        Numbered { number, is_null: *json == Json::Null, within }
    }
}

impl Numbered<'_> {
    /// The last step first.
    fn difference(&self, other: &Self) -> Option<Vec<String>> {
        if self.number == other.number {
            return None;
        }
        let inner = match (&self.within, &other.within) {
            (Within::Elements(a), Within::Elements(b)) => {
                let mut pairs = a.iter().zip(b).enumerate();
                pairs.find_map(|(at, (a, b))| Some(further(a.difference(b)?, path::element(at))))
            }
            (Within::Fields(a), Within::Fields(b)) => {
                let here = a.iter().find_map(|(name, field)| {
                    let steps = match b.get(name) {
                        Some(other) => field.difference(other)?,
                        None => (!field.is_null).then(Vec::new)?,
                    };
                    Some(further(steps, path::field(name)))
                });
                here.or_else(|| {
                    let added = b.iter().find(|(name, field)| !a.contains_key(*name) && !field.is_null);
                    added.map(|(name, _)| vec![path::field(name)])
                })
            }
            _ => None,
        };
        Some(inner.unwrap_or_default())
    }
}

fn further(mut steps: Vec<String>, step: String) -> Vec<String> {
    steps.push(step);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_is_told_by_its_place_and_orders_do_not_count() {
        let of = |a, b| difference(&Json::from(a), &Json::from(b)).map(|steps| steps.concat());
        assert_eq!(of(json!({"a": [1, 2], "b": 3}), json!({"b": 3, "a": [2, 1]})), None);
        assert_eq!(of(json!([[1, 2], [3]]), json!([[3], [2, 1]])), None);
        assert_eq!(of(json!({"a": [{"b": 1}]}), json!({"a": [{"b": 2}]})), Some(".a[0].b".into()));
        assert_eq!(of(json!({"a": 1}), json!({})), Some(".a".into()));
        assert_eq!(of(json!({}), json!({"a": 1})), Some(".a".into()));
        assert_eq!(of(json!({}), json!({"a": null})), Some(String::new()));
        assert_eq!(of(json!([1, 1, 2]), json!([1, 2, 2])), Some("[1]".into()));
    }
}
