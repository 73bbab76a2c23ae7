//! Who waits for the head to move.

use annals_event::Sequence;
use std::collections::BTreeMap;

type Wake = Box<dyn FnOnce(Sequence) + Send>;

/// Calls to make when the head is past a place. A wait that is given up is removed, so that they stay bounded by
/// those who really wait.
#[derive(Default)]
pub(crate) struct Waiters {
    next_id: u64,
    waiting: BTreeMap<u64, (Sequence, Wake)>,
}

impl Waiters {
    pub(crate) fn add(&mut self, past: Sequence, wake: Wake) -> u64 {
        self.next_id += 1;
        self.waiting.insert(self.next_id, (past, wake));
        self.next_id
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Wake> {
        self.waiting.remove(&id).map(|(_, wake)| wake)
    }

    /// Takes the calls that are due now that the log ends at `head`.
    pub(crate) fn take_due(&mut self, head: Sequence) -> Vec<Wake> {
        let due = self.waiting.extract_if(.., |_, (past, _)| *past < head);
        due.map(|(_, (_, wake))| wake).collect()
    }

    /// Takes all: the head will not move again.
    pub(crate) fn take_all(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.waiting).into_values().map(|(_, wake)| wake).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn each_wait_is_due_once_the_head_is_past_its_place() {
        let (mut waiters, (wake, woken)) = (Waiters::default(), mpsc::channel());
        let mut wait = |past: u64| {
            let wake = wake.clone();
            waiters.add(Sequence::new(past), Box::new(move |head| wake.send((past, head.get())).unwrap()))
        };
        let given_up = wait(1);
        let waits: Vec<u64> = (1..=3).map(&mut wait).collect();
        assert!(!waits.contains(&given_up));
        drop(waiters.remove(given_up));
        let head = Sequence::new(3);
        waiters.take_due(head).into_iter().for_each(|wake| wake(head));
        assert!(waiters.take_due(head).is_empty(), "each is woken once");
        assert_eq!(woken.try_iter().collect::<Vec<_>>(), [(1, 3), (2, 3)]);
        assert_eq!(waiters.take_all().len(), 1);
    }
}
