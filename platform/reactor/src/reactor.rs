use annals_aggregate::Aggregate;
use annals_event::{Category, Event, Recorded};

/// What a service does when something happened, here or in another service.
///
/// ```
/// # use annals_event::{Event, Recorded};
/// # use annals_aggregate::Aggregate;
/// # use annals_reactor::{Reaction, Reactor};
/// struct RequestPayments<O, P>(std::marker::PhantomData<fn() -> (O, P)>);
///
/// impl<O: Event + HasOrder, P: Aggregate<Command = Request>> Reactor for RequestPayments<O, P> {
///     type Event = O;
///     type Target = P;
///     fn name(&self) -> &str {
///         "payments"
///     }
///     fn react(&self, placed: &Recorded<O>) -> Vec<Reaction<P>> {
///         let (order, cents) = placed.event.order();
///         vec![Reaction::new(order, Request { cents })]
///     }
/// }
/// # #[derive(Clone)] struct Request { cents: u64 }
/// # trait HasOrder { fn order(&self) -> (String, u64); }
/// ```
pub trait Reactor: Send + Sync + 'static {
    /// The events that it reacts to, of any stream.
    type Event: Event;
    /// The aggregate of its own service that gets the commands.
    type Target: Aggregate;

    /// Its name, unique in the log. It names its mark, `reactor/<name>`, and goes into the ids of its outputs: a
    /// reactor with another name starts from the beginning.
    fn name(&self) -> &str;

    /// Only events of streams of these categories; none: of all.
    fn categories(&self) -> Vec<Category> {
        Vec::new()
    }

    /// The commands that `event` gives rise to, in order. Pure: the same event, the same commands.
    fn react(&self, event: &Recorded<Self::Event>) -> Vec<Reaction<Self::Target>>;

    /// What to do when the aggregate refuses a command that `event` gave rise to.
    fn on_rejected(
        &self,
        event: &Recorded<Self::Event>,
        command: &<Self::Target as Aggregate>::Command,
        error: &<Self::Target as Aggregate>::Error,
    ) -> Rejected {
        let _ = (event, command, error);
        Rejected::Stop
    }
}

/// A command for one aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction<A: Aggregate> {
    /// The aggregate's id.
    pub id: String,
    /// What is asked of it.
    pub command: A::Command,
}

impl<A: Aggregate> Reaction<A> {
    /// Asks `command` of the aggregate `id`.
    pub fn new(id: impl Into<String>, command: A::Command) -> Self {
        Self { id: id.into(), command }
    }
}

/// What to do with a refused command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Stop the worker before the event, so that somebody looks at it.
    Stop,
    /// Go on without this command; the event's other commands still count.
    Skip,
}
