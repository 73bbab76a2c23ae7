use annals_event::{Category, EventRef, EventType, StreamName};
use std::collections::HashSet;

/// Which events of the log a reader wants. Each part narrows the choice; an empty part accepts everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Events of streams of any of these categories.
    pub categories: Vec<Category>,
    /// Events of this stream.
    pub stream: Option<StreamName>,
    /// Events of any of these types.
    pub event_types: Vec<EventType>,
}

impl Filter {
    /// Every event.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether every event is wanted.
    pub fn is_all(&self) -> bool {
        self.categories.is_empty() && self.stream.is_none() && self.event_types.is_empty()
    }

    /// The filter, prepared for many events.
    pub fn matcher(&self) -> Matcher {
        Matcher {
            categories: self.categories.iter().cloned().collect(),
            stream: self.stream.clone(),
            event_types: self.event_types.iter().cloned().collect(),
        }
    }

    /// Whether the event is wanted.
    pub fn accepts(&self, event: &EventRef<'_>) -> bool {
        let category = || self.categories.iter().any(|wanted| wanted.as_str() == event.category());
        let event_type = || self.event_types.iter().any(|wanted| wanted.as_str() == event.event_type());
        (self.categories.is_empty() || category())
            && self.stream.as_ref().is_none_or(|wanted| wanted.as_str() == event.stream())
            && (self.event_types.is_empty() || event_type())
    }
}

/// A [`Filter`] prepared for many events: each costs the same, however many categories and types are wanted.
#[derive(Clone, Debug)]
pub struct Matcher {
    categories: HashSet<Category>,
    stream: Option<StreamName>,
    event_types: HashSet<EventType>,
}

impl Matcher {
    /// Whether the event is wanted.
    pub fn accepts(&self, event: &EventRef<'_>) -> bool {
        (self.categories.is_empty() || self.categories.contains(event.category()))
            && self.stream.as_ref().is_none_or(|wanted| wanted.as_str() == event.stream())
            && (self.event_types.is_empty() || self.event_types.contains(event.event_type()))
    }
}
