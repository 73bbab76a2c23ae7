//! The values of a stream or a mark since the last restart, and whether a refusal tells the truth about them.

use super::{NEVER, Tick};

/// The values that something had, in order, each with the append that brought it.
pub(super) struct History<T> {
    steps: Vec<Step<T>>,
}

struct Step<T> {
    value: T,
    asked: Tick,
    answered: Tick,
}

/// What a refusal claims: that this was the value at some moment between two others.
pub(super) struct Claim<T> {
    pub(super) value: T,
    pub(super) asked: Tick,
    pub(super) answered: Tick,
}

impl<T: PartialEq> History<T> {
    /// Something that had this value at the last restart.
    pub(super) fn since(value: T) -> Self {
        Self { steps: vec![Step { value, asked: 0, answered: 0 }] }
    }

    /// An append that was asked and answered at these moments brought the next value.
    pub(super) fn step(&mut self, value: T, asked: Tick, answered: Tick) {
        self.steps.push(Step { value, asked, answered });
    }

    /// What is wrong with the claim, if anything.
    pub(super) fn refutes(&self, claim: &Claim<T>) -> Option<&'static str> {
        let Some(at) = self.steps.iter().position(|step| step.value == claim.value) else {
            return Some("rests on what is not there");
        };
        let began = self.steps.get(at).map_or(NEVER, |step| step.asked);
        let ended = self.steps.get(at + 1).map_or(NEVER, |step| step.answered);
        if began > claim.answered {
            Some("rests on what was not asked for yet")
        } else if ended < claim.asked {
            Some("rests on what was over before it was asked")
        } else {
            None
        }
    }
}

/// Whether no append comes after one that was asked for only after it had been answered. `appends` are those in the
/// log, in its order, as the moments of question and answer.
pub(super) fn is_in_order_of_time(appends: &[(Tick, Tick)]) -> bool {
    let mut earliest_later_answer = NEVER;
    appends.iter().rev().all(|&(asked, answered)| {
        let fits = earliest_later_answer >= asked;
        earliest_later_answer = earliest_later_answer.min(answered);
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History<u64> {
        let mut history = History::since(7);
        history.step(8, 10, 20);
        history.step(9, 15, NEVER);
        history
    }

    #[test]
    fn a_refusal_may_rest_on_what_was_there_while_it_was_under_way() {
        for (value, asked, answered) in [(7, 1, 2), (7, 19, 21), (8, 11, 12), (8, 30, 31), (9, 16, 17)] {
            assert_eq!(history().refutes(&Claim { value, asked, answered }), None, "{value} {asked}");
        }
    }

    #[test]
    fn a_refusal_may_not_rest_on_anything_else() {
        for (value, asked, answered) in [(7, 21, 22), (8, 1, 9), (9, 13, 14), (10, 30, 31)] {
            assert!(history().refutes(&Claim { value, asked, answered }).is_some(), "{value} {asked}");
        }
    }

    #[test]
    fn an_append_that_follows_a_later_one_is_noticed() {
        assert!(is_in_order_of_time(&[(1, 4), (2, 3), (5, NEVER), (5, 6)]));
        assert!(!is_in_order_of_time(&[(1, 4), (5, 6), (2, 3)]));
    }
}
