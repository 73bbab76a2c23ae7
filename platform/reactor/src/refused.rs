use annals_aggregate::Aggregate;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
};

/// What to do with a command that its aggregate refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRefused {
    /// Stop the reactor before the event, so that somebody looks at it.
    Stop,
    /// Go on without this command; the event's other commands still count.
    Skip,
}

/// What a reactor says of refusals, by the type of the aggregate that refuses.
#[derive(Default)]
pub(crate) struct Refusals {
    policies: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    /// The category of which two things are said.
    pub(crate) twice: Option<&'static str>,
}

struct Policy<A: Aggregate>(Box<Then<A>>);

type Then<A> = dyn Fn(&<A as Aggregate>::Command, &<A as Aggregate>::Error) -> OnRefused + Send + Sync;

impl Refusals {
    pub(crate) fn say<A: Aggregate>(
        &mut self,
        then: impl Fn(&A::Command, &A::Error) -> OnRefused + Send + Sync + 'static,
    ) {
        let known = self.policies.insert(TypeId::of::<A>(), Box::new(Policy::<A>(Box::new(then))));
        if known.is_some() {
            self.twice = Some(A::CATEGORY);
        }
    }

    pub(crate) fn of<A: Aggregate>(&self, command: &A::Command, error: &A::Error) -> OnRefused {
        let policy =
            self.policies.get(&TypeId::of::<A>()).and_then(|policy| policy.downcast_ref::<Policy<A>>());
        policy.map_or(OnRefused::Stop, |Policy(then)| then(command, error))
    }
}
