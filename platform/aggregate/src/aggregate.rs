use annals_event::{Event, InvalidName, StreamName};

/// A decision maker. Its state is what its stream says and nothing else.
pub trait Aggregate: Default + Clone + Send + Sync + 'static {
    /// The category of its streams: the stream of the aggregate `1001` of category `order` is `order-1001`. Has no
    /// `-`, since a stream's category ends at the first one.
    const CATEGORY: &'static str;
    /// What its snapshots contain. Raise it whenever [`evolve`](Self::evolve) fills the state's fields differently,
    /// or they change their meaning. A snapshot of another version is ignored, as is one of another type or of a
    /// state with other fields.
    const SNAPSHOT_VERSION: u32 = 1;
    /// Whether events of a type that it does not know are skipped, as facts that change none of its decisions. Where
    /// they could change them, say `false`: a stream with such an event, which a newer release wrote, is then an
    /// error ([`FoldError::UnknownType`](crate::FoldError::UnknownType)), and no command is executed on it.
    const PASSES_OVER_UNKNOWN_TYPES: bool = true;

    /// What may happen to it.
    type Event: Event;
    /// What may be asked of it.
    type Command: Clone + Send + Sync + 'static;
    /// Why it refuses a command.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What happens because of `command`. No events: there is nothing to do. Pure.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// Applies what happened. Pure, and never refuses: the event is a fact.
    fn evolve(&mut self, event: &Self::Event);
}

/// The stream of the aggregate with this id.
pub fn stream_of<A: Aggregate>(id: &str) -> Result<StreamName, InvalidName> {
    const {
        assert!(
            is_category(A::CATEGORY),
            "Aggregate::CATEGORY needs at least one character and must not contain '-'"
        )
    };
    StreamName::of(A::CATEGORY, id)
}

const fn is_category(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'-' {
            return false;
        }
        rest = tail;
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_category;

    #[test]
    fn a_category_has_no_dash() {
        assert!(is_category("order") && is_category("$replay"));
        assert!(!is_category("") && !is_category("order-line") && !is_category("order-"));
    }
}
