use annals_event::{Category, EventRef, EventType, StreamName};

/// Which events of the log a reader wants. Each part narrows; an empty part asks for nothing in particular.
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

    /// Whether the event is wanted.
    pub fn accepts(&self, event: &EventRef<'_>) -> bool {
        let category = || self.categories.iter().any(|wanted| wanted.as_str() == event.category());
        let event_type = || self.event_types.iter().any(|wanted| wanted.as_str() == event.event_type());
        (self.categories.is_empty() || category())
            && self.stream.as_ref().is_none_or(|wanted| wanted.as_str() == event.stream())
            && (self.event_types.is_empty() || event_type())
    }
}
