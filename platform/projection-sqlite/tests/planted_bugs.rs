//! The suite is worth only what it catches: each bug, and the cases that must fail on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;
#[path = "support/broken.rs"]
mod wrapped;

use annals_projection::{
    backend::{Backend, DatabaseError},
    conformance::{
        Catalog, TestCatalog, build, catalog, commit, fence, flips, lease, order, pointer, races, run,
        values, view,
    },
};
use async_trait::async_trait;
use fail::FailScenario;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};
use support::Folder;
use wrapped::{Broken, Bug};

/// Fails unless the case passes, and fails once the bug is in SQLite's backend.
#[track_caller]
fn catches<C: Future<Output = ()>>(bug: &str, case: impl FnOnce(Catalog) -> C + Clone) {
    // Fail points are the whole process's, so there is one scenario at a time.
    let _scenario = FailScenario::setup();
    fail::cfg("view-bound", "sleep(5)").unwrap();
    run(async { Folder::new() }, case.clone());
    fail::cfg(bug, "return").unwrap();
    let caught = catch_unwind(AssertUnwindSafe(|| run(async { Folder::new() }, case))).is_err();
    assert!(caught, "{bug} was not noticed");
}

#[test]
fn a_checkpoint_that_is_not_compared_is_caught() {
    catches("checkpoint-not-compared", races::a_writer_that_was_taken_over_writes_nothing);
    catches("checkpoint-not-compared", races::of_two_that_commit_at_once_one_is_fenced);
    catches("checkpoint-not-compared", fence::a_flip_moves_pointer_states_and_epoch_together);
}

#[test]
fn rows_that_are_committed_before_the_checkpoint_are_caught() {
    catches("checkpoint-outside-transaction", races::a_writer_that_was_taken_over_writes_nothing);
    catches("checkpoint-outside-transaction", commit::a_batch_that_is_dropped_halfway_is_whole_or_absent);
}

#[test]
fn a_pointer_that_is_read_before_the_snapshot_is_caught() {
    catches("pointer-read-before-snapshot", flips::a_view_of_what_is_live_never_steps_back);
}

/// A folder whose handles have a bug.
struct BrokenFolder(Folder, Bug);

#[async_trait]
impl TestCatalog for BrokenFolder {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    async fn open(&self) -> Result<Arc<dyn Backend>, DatabaseError> {
        Ok(Arc::new(Broken { inner: self.0.open().await?, bug: self.1, seen: Mutex::default() }))
    }
    fn indexes(&self) -> &'static str {
        self.0.indexes()
    }
}

/// Fails unless the case fails on a backend with this bug.
#[track_caller]
fn finds<C: Future<Output = ()>>(bug: Bug, case: impl FnOnce(Catalog) -> C) {
    let _scenario = FailScenario::setup();
    let found =
        catch_unwind(AssertUnwindSafe(|| run(async { BrokenFolder(Folder::new(), bug) }, case))).is_err();
    assert!(found, "{bug:?} was not noticed");
}

#[test]
fn a_pointer_that_is_not_compared_is_caught() {
    finds(Bug::MovesAnyPointer, pointer::a_pointer_moves_only_from_where_it_is_expected);
    finds(Bug::MovesAnyPointer, pointer::only_the_first_can_expect_that_nothing_is_live);
}

#[test]
fn states_that_do_not_change_are_caught() {
    finds(Bug::RetiresNothing, pointer::retiring_twice_is_the_same);
    finds(Bug::RetiresNothing, catalog::every_generation_is_listed_the_oldest_first);
    finds(Bug::FlipsWithoutStates, fence::a_flip_moves_pointer_states_and_epoch_together);
}

#[test]
fn a_flip_that_fences_nobody_is_caught() {
    finds(Bug::FlipsWithoutFence, fence::a_flip_moves_pointer_states_and_epoch_together);
}

#[test]
fn a_pointer_that_is_read_once_is_caught() {
    finds(Bug::KeepsThePointer, flips::a_view_of_what_is_live_never_steps_back);
    finds(Bug::KeepsThePointer, view::a_view_stays_when_its_generation_is_replaced_and_retired);
}

#[test]
fn a_view_that_moves_is_caught() {
    finds(Bug::ViewsWhatIsNew, view::a_view_sees_what_was_committed_before_it_and_no_more);
    finds(Bug::ViewsWhatIsNew, view::an_open_view_holds_up_neither_writer_nor_change);
}

#[test]
fn a_lease_that_many_hold_is_caught() {
    finds(Bug::LeasesToAll, lease::a_lease_is_held_by_one_at_a_time);
    finds(Bug::LeasesToAll, lease::of_8_that_want_a_lease_exactly_one_gets_it);
}

#[test]
fn what_stays_although_it_was_removed_is_caught() {
    finds(Bug::RemovesNothing, catalog::what_is_removed_is_gone_and_nothing_else);
    finds(Bug::RemovesNothing, catalog::what_was_never_finished_can_be_removed);
}

#[test]
fn what_is_lost_on_the_way_is_caught() {
    finds(Bug::LosesTheSnapshotsName, build::a_generation_says_what_its_specification_says);
    finds(Bug::LosesTheChain, commit::rows_checkpoint_chain_and_counts_change_together);
    finds(Bug::DeletesNothing, commit::a_transaction_sees_what_it_wrote);
    finds(Bug::MakesNoIndexes, commit::a_candidate_has_its_indexes_when_it_is_finished);
}

#[test]
fn values_that_change_on_the_way_are_caught() {
    for bug in [Bug::RoundsReals, Bug::TrimsText] {
        finds(bug, values::every_value_comes_back_through_a_build);
        finds(bug, values::every_value_comes_back_through_a_transaction);
    }
}

#[test]
fn questions_that_are_answered_otherwise_are_caught() {
    finds(Bug::ReadsAllRows, view::no_more_rows_are_read_than_are_asked_for);
    finds(Bug::IgnoresParameters, view::parameters_stand_for_values);
    finds(Bug::SortsNothing, order::keys_stand_in_their_order);
    finds(Bug::SortsNothing, order::values_that_are_no_keys_stand_in_their_order_too);
}
