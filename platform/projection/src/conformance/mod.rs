//! The suite that every [`Backend`](crate::backend::Backend) passes, including those written elsewhere.
//!
//! A backend's test file says how a fresh catalog is made and opened; each case becomes a test of its own:
//!
//! ```ignore
//! struct Folder(tempfile::TempDir);
//!
//! #[async_trait]
//! impl TestCatalog for Folder {
//!     fn kind(&self) -> &'static str {
//!         "sqlite"
//!     }
//!     async fn open(&self) -> Result<Arc<dyn Backend>, DatabaseError> {
//!         Ok(annals_projection_sqlite::open(&self.0).await.unwrap().backend().clone())
//!     }
//!     fn indexes(&self) -> &'static str {
//!         "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL"
//!     }
//! }
//!
//! annals_projection::conformance_tests!(async { Folder(tempfile::tempdir().unwrap()) });
//! ```
//!
//! The future returns anything that is [`Into<Subject>`]: a [`TestCatalog`], or an `Option` of one where the database may be
//! missing. Whoever says `None` says why.
//!
//! A case uses the traits alone and asserts what their documentation promises. Two handles to one catalog stand for two
//! processes. Races are forced by steps or started at one barrier; whatever has to wait for a lock is given a minute to
//! say so, and nothing depends on how fast the database is.

#![expect(missing_docs, reason = "the name of a case is the sentence that it checks")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a case fails by panicking, as a test does"
)]

use crate::backend::{Backend, DatabaseError};
use async_trait::async_trait;
use std::{fmt, sync::Arc, time::Duration};

mod fixture;
mod tables;

pub mod build;
pub mod catalog;
pub mod commit;
pub mod fence;
pub mod flips;
pub mod lease;
pub mod order;
pub mod pointer;
pub mod races;
pub mod values;
pub mod view;

/// A case that runs this long hangs.
const CASE_TIME_MAX: Duration = Duration::from_secs(300);
/// Two workers and the case's own thread are enough for real races.
const WORKER_THREADS: usize = 2;

/// A catalog under test: fresh, and there until it is dropped.
#[async_trait]
pub trait TestCatalog: Send + Sync + 'static {
    /// What [`Backend::kind`] has to say.
    fn kind(&self) -> &'static str;
    /// Opens the catalog as another process would: two handles share nothing but the database. The first one makes the
    /// catalog.
    async fn open(&self) -> Result<Arc<dyn Backend>, DatabaseError>;
    /// A question for a view: a `SELECT` of one text column, which finds the names of the indexes of table `$1` in the view's
    /// generation, without that of its primary key.
    fn indexes(&self) -> &'static str;
}

/// A catalog under test.
pub type Catalog = Arc<dyn TestCatalog>;

/// A catalog under test, or none, where the database is missing.
pub struct Subject(Option<Catalog>);

impl<C: TestCatalog> From<C> for Subject {
    fn from(catalog: C) -> Self {
        Self(Some(Arc::new(catalog)))
    }
}

impl<C: TestCatalog> From<Option<C>> for Subject {
    fn from(catalog: Option<C>) -> Self {
        Self(catalog.map(|catalog| Arc::new(catalog) as Catalog))
    }
}

impl From<Catalog> for Subject {
    fn from(catalog: Catalog) -> Self {
        Self(Some(catalog))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({:?})", self.0.as_ref().map(|catalog| catalog.kind()))
    }
}

/// Makes a catalog and runs one case on it, in a runtime of its own. Panics when the case fails.
pub fn run<S: Into<Subject>, C: Future<Output = ()>>(
    make: impl Future<Output = S>,
    case: impl FnOnce(Catalog) -> C,
) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(WORKER_THREADS).enable_all().build().unwrap();
    runtime.block_on(async {
        let Subject(Some(catalog)) = make.await.into() else { return };
        let ended = tokio::time::timeout(CASE_TIME_MAX, case(catalog.clone())).await;
        assert!(ended.is_ok(), "the case hangs: the database did not answer for {CASE_TIME_MAX:?}");
        drop(catalog);
    });
}

/// Makes a `#[test]` of each case of the [conformance](crate::conformance) suite. The argument is a future that returns a fresh
/// catalog; it is evaluated once for each case.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests! { @cases $make;
            values {
                every_value_comes_back_through_a_build,
                every_value_comes_back_through_a_transaction,
                every_value_takes_the_place_of_another,
                every_key_finds_its_row,
                every_value_finds_its_rows_as_a_parameter,
                text_with_a_nul_comes_back_or_is_an_error_of_the_data,
                names_that_are_words_of_sql_are_only_names,
                key_columns_may_stand_anywhere_in_a_table,
                thousands_of_rows_are_written_and_found_at_once,
                a_batch_of_no_rows_is_nothing,
            }
            order {
                keys_stand_in_their_order,
                values_that_are_no_keys_stand_in_their_order_too,
                keys_of_several_columns_stand_in_their_order,
                comparing_a_value_agrees_with_the_order,
                pages_by_key_add_up,
                pages_by_a_key_of_several_columns_add_up,
            }
            build {
                a_generation_says_what_its_specification_says,
                an_unfinished_generation_cannot_be_used,
                a_build_that_is_dropped_leaves_nothing,
                a_build_that_fails_leaves_nothing,
                a_finish_that_is_dropped_halfway_is_whole_or_absent,
                what_is_finished_is_not_made_again,
                of_two_builds_of_one_generation_one_finishes,
                of_many_builds_of_one_generation_one_finishes,
                a_build_may_be_finished_after_its_generation_was_retired,
                rows_come_in_any_number_of_batches_and_tables,
                generations_do_not_share_rows,
            }
            commit {
                rows_checkpoint_chain_and_counts_change_together,
                a_checkpoint_moves_without_rows_and_the_greatest_counts_fit,
                a_transaction_that_is_dropped_changes_nothing,
                a_transaction_that_is_rolled_back_changes_nothing,
                a_row_that_its_table_refuses_takes_the_whole_batch_back,
                a_transaction_sees_what_it_wrote,
                a_row_carries_the_sequence_number_it_was_written_with,
                a_transaction_begins_where_the_one_before_ended,
                a_batch_that_is_dropped_halfway_is_whole_or_absent,
                a_writer_that_is_closed_can_be_followed_by_another,
                what_is_live_has_its_indexes_at_once,
                a_candidate_has_its_indexes_when_it_is_finished,
            }
            races {
                a_writer_that_was_taken_over_writes_nothing,
                a_takeover_during_a_transaction_is_before_or_after_it,
                of_many_writers_only_the_last_that_claimed_writes,
                of_two_that_commit_at_once_one_is_fenced,
                a_takeover_that_is_dropped_halfway_fences_or_does_not,
            }
            fence {
                a_fence_that_is_dropped_changes_nothing,
                a_fence_knows_what_was_committed_before_it,
                while_a_fence_is_held_the_writer_cannot_commit,
                a_writer_that_waits_for_a_fence_is_told_within_a_bound,
                a_second_fence_is_busy_within_a_bound,
                whoever_waits_for_a_fence_gets_it_when_it_is_dropped,
                fences_of_two_generations_do_not_block_each_other,
                a_flip_moves_pointer_states_and_epoch_together,
                a_flip_of_a_pointer_that_moved_changes_nothing,
                a_flip_that_is_dropped_halfway_is_whole_or_absent,
                what_is_not_there_cannot_be_fenced,
            }
            pointer {
                at_first_nothing_is_live,
                only_the_first_can_expect_that_nothing_is_live,
                a_pointer_moves_only_from_where_it_is_expected,
                of_8_changers_exactly_one_wins_each_round,
                retiring_twice_is_the_same,
                slots_are_apart,
            }
            view {
                a_view_sees_what_was_committed_before_it_and_no_more,
                a_view_stays_when_its_generation_is_replaced_and_retired,
                an_open_view_holds_up_neither_writer_nor_change,
                rows_are_found_by_their_keys,
                parameters_stand_for_values,
                a_parameter_may_be_null,
                a_question_that_is_wrong_is_denied,
                what_is_not_what_was_wanted_comes_as_it_is,
                sums_and_counts_of_integers_are_integers,
                sums_of_reals_are_reals,
                a_question_may_join_tables_by_their_plain_names,
                no_more_rows_are_read_than_are_asked_for,
                a_view_writes_nothing,
                one_text_finds_the_columns_and_rows_of_each_generation,
                many_views_are_open_at_once,
            }
            flips {
                a_view_of_what_is_live_never_steps_back,
            }
            catalog {
                every_handle_says_what_and_where_it_is,
                many_may_open_a_new_catalog_at_once,
                every_generation_is_listed_the_oldest_first,
                scratch_generations_are_used_and_not_listed,
                what_is_removed_is_gone_and_nothing_else,
                what_was_never_finished_can_be_removed,
                an_instance_is_one_for_as_long_as_its_rows_are_there,
                the_size_of_a_generation_grows_with_its_rows,
                whoever_watches_is_told_of_a_change_of_the_pointer,
                all_that_was_committed_is_there_after_a_restart,
            }
            lease {
                a_lease_is_held_by_one_at_a_time,
                each_read_model_has_a_lease_of_its_own,
                of_8_that_want_a_lease_exactly_one_gets_it,
                a_handle_that_is_dropped_gives_its_leases_up,
            }
        }
    };
    (@cases $make:expr; $($theme:ident { $($case:ident),+ $(,)? })+) => {$($(
        #[test]
        fn $case() {
            $crate::conformance::run($make, $crate::conformance::$theme::$case);
        }
    )+)+};
}
