use super::{
    fold::{Moment, Place},
    part::{Part, Subject},
};
use crate::LoadError;
use annals_event::{InvalidName, StreamName};
use std::future::Future;

/// What a decision is about: a tuple of two to four [`reads`](super::reads) and [`writes`](super::writes), each of a stream
/// of its own.
pub trait Subjects: Send + Sync {
    /// What the decision gets: [`Seen`](super::Seen) for what is read, [`Draft`](super::Draft) for what may be written.
    type States: Send;

    /// The streams, in order.
    #[doc(hidden)]
    fn streams(&self) -> Result<Vec<StreamName>, InvalidName>;
    /// All states at the moment, and the places of their streams.
    #[doc(hidden)]
    fn load(
        &self,
        moment: &Moment<'_>,
    ) -> impl Future<Output = Result<(Self::States, Vec<Place>), LoadError>> + Send;
    /// The states one by one, in the order of the streams.
    #[doc(hidden)]
    fn parts(states: &Self::States) -> Vec<&dyn Part>;
}

macro_rules! subjects {
    ($($subject:ident $part:ident $index:tt),+) => {
        impl<$($subject: Subject),+> Subjects for ($($subject,)+) {
            type States = ($($subject::State,)+);

            fn streams(&self) -> Result<Vec<StreamName>, InvalidName> {
                Ok(vec![$(self.$index.stream()?),+])
            }
            async fn load(&self, moment: &Moment<'_>) -> Result<(Self::States, Vec<Place>), LoadError> {
                let ($($part,)+) = tokio::try_join!($(self.$index.load(moment)),+)?;
                Ok((($($part.0,)+), vec![$($part.1),+]))
            }
            fn parts(states: &Self::States) -> Vec<&dyn Part> {
                vec![$(&states.$index),+]
            }
        }
    };
}
subjects!(A a 0, B b 1);
subjects!(A a 0, B b 1, C c 2);
subjects!(A a 0, B b 1, C c 2, D d 3);
