//! Given, when, then for a decision over several streams.

use super::{assert_same, decode_all, recorded};
use crate::{
    Aggregate,
    decision::{Draft, Seen},
};
use std::fmt::Debug;

/// The subjects of a decision. Say what is decided with [`when`](Self::when).
#[derive(Debug)]
#[must_use = "say what is decided with `when`"]
pub struct GivenSubjects<G> {
    states: G,
}

/// What came of a decision. Say what should have come of it.
#[derive(Debug)]
#[must_use = "say what should have come of the decision with `then`, `then_nothing` or `then_error`"]
pub struct WhenSubjects<G: GivenStates, E> {
    states: G::States,
    decided: Result<(), E>,
}

/// Subjects in these states: a tuple of two to four. A state may be written; one in a [`Seen`] is only read, as by
/// [`reads`](crate::decision::reads).
///
/// ```ignore
/// given_subjects((Seen::from(Member { suspended: true }), Copy::default()))
///     .when(|(member, copy)| lend(member, copy))
///     .then_error(Refused);
/// ```
pub fn given_subjects<G: GivenStates>(states: G) -> GivenSubjects<G> {
    GivenSubjects { states }
}

impl<G: GivenStates> GivenSubjects<G> {
    /// Decides.
    pub fn when<E>(self, decide: impl FnOnce(&mut G::States) -> Result<(), E>) -> WhenSubjects<G, E> {
        let mut states = self.states.into_states();
        let decided = decide(&mut states);
        WhenSubjects { states, decided }
    }
}

impl<G: GivenStates, E: Debug> WhenSubjects<G, E> {
    /// These events happened: for each subject a list of its own, and `()` for one that is only read. They come back from
    /// their stored form unchanged.
    #[track_caller]
    pub fn then(self, expected: G::Events) {
        if let Err(error) = self.decided {
            panic!("expected events, but the decision refused: {error:?}");
        }
        G::assert_events(&self.states, &expected);
    }

    /// There was nothing to do.
    #[track_caller]
    pub fn then_nothing(self)
    where
        G::Events: Default,
    {
        self.then(G::Events::default());
    }

    /// The decision refused with this error.
    #[track_caller]
    pub fn then_error(self, expected: E)
    where
        E: PartialEq,
    {
        assert_same(&[expected], &[self.refusal()], "the error");
    }

    /// The decision refused with an error that `matches`.
    #[track_caller]
    pub fn then_error_that(self, matches: impl FnOnce(&E) -> bool) {
        let error = self.refusal();
        assert!(matches(&error), "the decision refused, but with another error: {error:?}");
    }

    #[track_caller]
    fn refusal(self) -> E {
        match self.decided {
            Ok(()) => panic!("expected the decision to refuse, but it did not"),
            Err(error) => error,
        }
    }
}

/// One subject's state as a test gives it.
pub trait GivenState {
    /// What the decision gets.
    type State;
    /// What may have happened to it.
    type Events: Default;

    #[doc(hidden)]
    fn into_state(self) -> Self::State;
    #[doc(hidden)]
    fn assert_events(state: &Self::State, expected: &Self::Events);
}

impl<A: Aggregate> GivenState for A
where
    A::Event: Debug + PartialEq,
{
    type State = Draft<A>;
    type Events = Vec<A::Event>;

    fn into_state(self) -> Draft<A> {
        Draft::from(self)
    }
    #[track_caller]
    fn assert_events(state: &Draft<A>, expected: &Vec<A::Event>) {
        assert_same(expected, state.events(), &format!("the events of the {}", A::CATEGORY));
        let stored = decode_all::<A>(&recorded::<A>(state.events()));
        assert_same(state.events(), &stored, "the events as read back from their stored form");
    }
}

impl<A: Aggregate> GivenState for Seen<A> {
    type State = Self;
    type Events = ();

    fn into_state(self) -> Self {
        self
    }
    fn assert_events(_: &Self, (): &()) {}
}

/// The subjects' states as a test gives them: a tuple of two to four [`GivenState`]s.
pub trait GivenStates {
    /// What the decision gets.
    type States;
    /// What may have happened to each.
    type Events;

    #[doc(hidden)]
    fn into_states(self) -> Self::States;
    #[doc(hidden)]
    fn assert_events(states: &Self::States, expected: &Self::Events);
}

macro_rules! given_states {
    ($($given:ident $index:tt),+) => {
        impl<$($given: GivenState),+> GivenStates for ($($given,)+) {
            type States = ($($given::State,)+);
            type Events = ($($given::Events,)+);

            fn into_states(self) -> Self::States {
                ($(self.$index.into_state(),)+)
            }
            #[track_caller]
            fn assert_events(states: &Self::States, expected: &Self::Events) {
                $($given::assert_events(&states.$index, &expected.$index);)+
            }
        }
    };
}
given_states!(A 0, B 1);
given_states!(A 0, B 1, C 2);
given_states!(A 0, B 1, C 2, D 3);
