//! The suite that every adapter of [`EventStore`](crate::EventStore) passes, including those written elsewhere.
//!
//! An adapter's test file names a way to make a fresh, empty store; each case becomes a test of its own:
//!
//! ```
//! annals_store::conformance_tests!(async { annals_store::GappedStore::new() });
//! ```
//!
//! The future returns anything that is [`Into<Subject>`]: a store, an `Arc<dyn EventStore>`, or a [`Subject`] that
//! keeps something else alive while the case runs, such as a temporary folder or a server.
//!
//! A case uses the trait alone and asserts what the trait's documentation promises, nothing more: a store passes with
//! or without gaps between its sequence numbers. Races are forced by steps or started at one barrier; nothing sleeps.

#![expect(missing_docs, reason = "the name of a case is the sentence that it checks")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a case fails by panicking, as a test does"
)]

use crate::EventStore;
use std::{any::Any, fmt, sync::Arc, time::Duration};

mod fixture;

pub mod append;
pub mod conditions;
pub mod contents;
pub mod filters;
pub mod fingerprints;
pub mod limits;
pub mod log;
pub mod marks;
pub mod openings;
pub mod repeats;
pub mod streams;
pub mod subscriptions;
pub mod time;

/// A store under test.
pub type Store = Arc<dyn EventStore>;

/// A case that runs this long has lost a wake-up.
const CASE_TIME_MAX: Duration = Duration::from_secs(120);
/// Two workers and the case's own thread are enough for real races.
const WORKER_THREADS: usize = 2;

/// A fresh store, and whatever must live as long as it does.
pub struct Subject {
    store: Store,
    kept: Box<dyn Any + Send>,
}

impl Subject {
    /// A store that needs nothing but itself.
    pub fn new(store: Store) -> Self {
        Self { store, kept: Box::new(()) }
    }

    /// Keeps `kept` until the case has ended and the store is dropped.
    #[must_use]
    pub fn keeping(self, kept: impl Any + Send) -> Self {
        Self { kept: Box::new((self.kept, kept)), ..self }
    }
}

impl<S: EventStore> From<S> for Subject {
    fn from(store: S) -> Self {
        Self::new(Arc::new(store))
    }
}

impl From<Store> for Subject {
    fn from(store: Store) -> Self {
        Self::new(store)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.store.capabilities().name)
    }
}

/// Makes a store and runs one case on it, in a runtime of its own. Panics when the case fails.
pub fn run<S: Into<Subject>, C: Future<Output = ()>>(
    make: impl Future<Output = S>,
    case: impl FnOnce(Store) -> C,
) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(WORKER_THREADS).enable_all().build().unwrap();
    runtime.block_on(async {
        let Subject { store, kept } = make.await.into();
        let ended = tokio::time::timeout(CASE_TIME_MAX, case(store)).await;
        assert!(ended.is_ok(), "the case hangs: the store did not answer for {CASE_TIME_MAX:?}");
        drop(kept);
    });
}

/// Makes a `#[test]` of each case of the [conformance](crate::conformance) suite. The argument is a future that
/// returns a fresh, empty store; it is evaluated once for each case.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests! { @cases $make;
            append {
                an_appended_event_comes_back_with_its_place,
                events_get_sequence_numbers_in_the_order_of_the_append,
                every_stream_counts_its_own_versions,
                the_receipt_agrees_with_the_log,
                an_answered_append_is_visible_to_the_next_read,
                an_append_to_many_streams_is_all_or_nothing,
                an_append_stays_together_among_many_writers,
                nothing_appears_below_a_position_that_was_readable,
                a_dropped_append_is_whole_or_absent,
            }
            conditions {
                each_expected_version_is_checked,
                a_required_version_is_checked_and_nothing_is_written_there,
                a_refusal_names_the_stream_what_was_expected_and_what_is_there,
                a_refused_append_changes_nothing,
                a_refusal_does_not_use_up_the_request_id,
                of_16_writers_exactly_one_wins_each_version,
                of_two_appends_that_require_each_others_stream_one_is_refused,
            }
            marks {
                a_mark_is_unset_until_it_is_set,
                a_mark_moves_only_from_where_it_was_expected,
                an_append_may_set_marks_alone,
                a_mark_at_zero_is_not_an_unset_mark,
                marks_and_events_are_one_append,
                of_16_consumers_exactly_one_moves_the_mark,
                marks_and_streams_of_one_name_do_not_meet,
            }
            openings {
                the_opening_stays_the_same_while_the_log_grows,
                an_append_for_another_opening_is_refused_and_changes_nothing,
                a_repeat_gets_the_first_result_whatever_opening_it_names,
            }
            repeats {
                a_repeated_request_gets_the_first_result_and_writes_nothing,
                a_repeated_request_gets_the_first_result_after_other_appends,
                a_repeated_request_that_set_marks_does_not_set_them_back,
                concurrent_repeats_write_once,
                a_request_id_with_other_content_is_an_error,
                an_exact_append_that_finds_its_own_events_gets_the_first_result,
                an_exact_append_over_many_streams_finds_its_own_events,
                an_exact_append_that_finds_other_events_is_a_conflict,
                an_exact_append_of_the_same_event_ids_with_other_content_is_an_error,
                an_exact_append_that_differs_in_its_trace_alone_gets_the_first_result,
                an_exact_append_that_sets_other_marks_is_a_conflict,
                without_a_version_only_the_request_id_tells_a_repeat,
            }
            streams {
                a_stream_that_does_not_exist_is_empty,
                a_stream_is_read_forward_page_by_page,
                a_stream_is_read_backward_page_by_page,
                a_stream_is_read_from_any_version,
                a_page_of_any_size_is_answered,
                streams_with_names_alike_are_different_streams,
                a_stream_with_thousands_of_events_is_whole,
            }
            log {
                an_empty_log_has_a_start_and_no_events,
                the_log_is_read_page_by_page,
                a_page_stays_within_its_bytes_but_gives_at_least_one_event,
                the_log_is_read_from_any_position_also_between_events,
                a_read_beyond_the_head_is_empty,
                the_head_moves_with_every_append,
                two_readers_see_the_same_order,
            }
            filters {
                a_filter_by_category_takes_whole_categories_only,
                a_filter_by_stream_takes_that_stream_only,
                a_filter_by_type_takes_those_types_only,
                the_parts_of_a_filter_narrow_each_other,
                a_filter_that_nothing_passes_still_reaches_the_head,
                a_filter_is_no_pattern,
                filtered_pages_add_up_whatever_their_size,
            }
            subscriptions {
                a_new_subscriber_is_told_at_once_that_it_is_caught_up,
                a_subscriber_gets_what_was_there_and_then_what_comes,
                a_subscriber_that_waits_is_woken_by_an_append,
                a_dropped_wait_loses_nothing,
                a_subscriber_from_beyond_the_head_gets_only_what_lies_there,
                a_subscriber_resumes_after_its_last_delivery,
                a_filtered_subscriber_gets_progress_over_what_it_skips,
                progress_without_events_is_told_now_and_then_only,
                a_stalled_subscriber_holds_up_nobody_and_misses_nothing,
                subscribers_that_come_and_go_miss_nothing_and_see_nothing_twice,
                fifty_subscribers_all_get_everything,
            }
            time {
                recorded_times_never_go_back,
                a_time_finds_the_first_event_recorded_then_or_later,
                times_outside_the_log_find_its_start_and_its_end,
            }
            fingerprints {
                a_fingerprint_stays_what_it_was_while_the_log_grows,
                each_append_changes_the_fingerprint,
                there_is_no_fingerprint_beyond_the_head,
                a_consumer_is_refused_by_another_log_a_shorter_one_and_another_history,
            }
            contents {
                everything_about_an_event_comes_back,
                payloads_of_every_size_come_back,
                every_content_type_comes_back,
                hostile_names_are_only_names,
                names_at_their_limit_come_back,
                reserved_names_are_names_too,
            }
            limits {
                an_append_with_too_many_events_is_refused,
                an_append_with_too_many_streams_is_refused,
                an_append_with_too_many_marks_is_refused,
                a_payload_that_is_too_large_is_refused,
                metadata_that_is_too_large_is_refused,
                too_many_tags_are_refused,
                an_event_of_schema_version_0_is_refused,
                an_append_that_is_too_large_is_refused,
                an_append_of_nothing_is_refused,
                nothing_may_stand_in_an_append_twice,
                errors_tell_the_caller_whether_to_repeat,
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
