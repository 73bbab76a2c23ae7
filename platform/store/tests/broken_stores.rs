//! The suite is worth only what it catches: stores with one bug each, and the case that must fail on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{Append, Receipt, RequestId};
use annals_store::{
    AppendError, Delivery, EventStore, Filter, GappedStore, Layer, LogPage, ReadError, ReadLog, ReadStream,
    StreamPage, Subscribe, Subscription,
    conformance::{
        self, Store, append, conditions, filters, limits, log, marks, repeats, streams, subscriptions,
    },
};
use async_trait::async_trait;
use futures::stream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    ForgetsRequestIds,
    IgnoresRequirements,
    WritesStreamByStream,
    SetsMarksFirst,
    ChecksNoLimits,
    FiltersCategoriesByPrefix,
    SaysNothingOfSkippedEvents,
    ReadsTheLastPageOnly,
    MistakesPlacesForCounts,
    SubscribesAfterTheHead,
    DeliversTwiceAfterCatchUp,
    TellsOfEverySkippedEvent,
}

struct Broken(GappedStore, Bug);

impl Broken {
    fn has(&self, bug: Bug) -> bool {
        self.1 == bug
    }
}

#[async_trait]
impl Layer for Broken {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }

    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        let mut append = append;
        match self.1 {
            Bug::ForgetsRequestIds => append.request_id = RequestId::generate(),
            Bug::IgnoresRequirements => append.requires.clear(),
            Bug::WritesStreamByStream if append.writes.len() > 1 => {
                let first = append.writes.remove(0);
                self.0.append(Append { writes: vec![first], ..Append::new() }).await?;
            }
            Bug::SetsMarksFirst if !append.marks.is_empty() && !append.writes.is_empty() => {
                let marks = std::mem::take(&mut append.marks);
                self.0.append(Append { marks, ..Append::new() }).await?;
            }
            Bug::ChecksNoLimits => {
                append.writes.iter_mut().for_each(|write| write.events.truncate(10_000));
            }
            _ => {}
        }
        self.0.append(append).await
    }

    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        let page = self.0.read_stream(read).await?;
        let next = if self.has(Bug::ReadsTheLastPageOnly) { None } else { page.next };
        Ok(StreamPage { next, ..page })
    }

    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        let (from, filter) = (read.from, read.filter.clone());
        let category = filter.categories.first().filter(|_| self.has(Bug::FiltersCategoriesByPrefix));
        if let Some(category) = category {
            let page = self.0.read_log(ReadLog { filter: Filter::all(), ..read }).await?;
            let events = page.events.filter(|event| event.stream().starts_with(category.as_str()));
            return Ok(LogPage { events, ..page });
        }
        let mut page = self.0.read_log(read).await?;
        if self.has(Bug::SaysNothingOfSkippedEvents) && !filter.is_all() {
            page.through = page.events.last().map_or(from.previous(), |event| event.sequence());
        }
        if self.has(Bug::MistakesPlacesForCounts) {
            page.through = from.previous().plus(u64::try_from(page.events.len()).unwrap());
        }
        Ok(page)
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let after_head = self.has(Bug::SubscribesAfterTheHead);
        let from = if after_head { self.0.head().await?.last.next() } else { subscribe.from };
        if self.has(Bug::TellsOfEverySkippedEvent) {
            let Subscribe { filter, .. } = subscribe;
            let inner = self.0.subscribe(Subscribe { from, filter: Filter::all() }).await?;
            let deliveries = stream::unfold((inner, filter), async |(mut inner, filter)| {
                let delivery = inner.next().await.map(|delivery| Delivery {
                    events: delivery.events.filter(|event| filter.accepts(event)),
                    ..delivery
                });
                Some((delivery, (inner, filter)))
            });
            return Ok(Subscription::new(deliveries));
        }
        let inner = self.0.subscribe(Subscribe { from, ..subscribe }).await?;
        let twice = self.has(Bug::DeliversTwiceAfterCatchUp);
        let deliveries = stream::unfold((inner, None::<Delivery>), move |(mut inner, again)| async move {
            if let Some(again) = again {
                return Some((Ok(again), (inner, None)));
            }
            let delivery = inner.next().await;
            let again = delivery.as_ref().ok().filter(|delivery| twice && delivery.is_caught_up()).cloned();
            Some((delivery, (inner, again)))
        });
        Ok(Subscription::new(deliveries))
    }
}

/// Fails unless the case fails on a store with the bug and passes on the same store without it.
#[track_caller]
fn catches<C: Future<Output = ()>>(bug: Bug, case: impl FnOnce(Store) -> C + Clone) {
    conformance::run(async { GappedStore::new() }, case.clone());
    let run = || conformance::run(async { Broken(GappedStore::new(), bug) }, case);
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "the bug was not noticed");
}

#[test]
fn forgotten_request_ids_are_caught() {
    catches(Bug::ForgetsRequestIds, repeats::a_repeated_request_gets_the_first_result_and_writes_nothing);
    catches(Bug::ForgetsRequestIds, repeats::concurrent_repeats_write_once);
    catches(Bug::ForgetsRequestIds, repeats::a_request_id_with_other_content_is_an_error);
}

#[test]
fn ignored_requirements_are_caught() {
    let case = conditions::a_required_version_is_checked_and_nothing_is_written_there;
    catches(Bug::IgnoresRequirements, case);
    let case = conditions::of_two_appends_that_require_each_others_stream_one_is_refused;
    catches(Bug::IgnoresRequirements, case);
}

#[test]
fn an_append_that_is_done_in_parts_is_caught() {
    catches(Bug::WritesStreamByStream, append::an_append_to_many_streams_is_all_or_nothing);
    catches(Bug::SetsMarksFirst, marks::marks_and_events_are_one_append);
}

#[test]
fn a_limit_that_is_not_checked_is_caught() {
    catches(Bug::ChecksNoLimits, limits::an_append_with_too_many_events_is_refused);
}

#[test]
fn a_sloppy_filter_is_caught() {
    catches(Bug::FiltersCategoriesByPrefix, filters::a_filter_by_category_takes_whole_categories_only);
}

#[test]
fn missing_progress_is_caught() {
    catches(Bug::SaysNothingOfSkippedEvents, filters::a_filter_that_nothing_passes_still_reaches_the_head);
}

#[test]
fn progress_that_is_told_at_every_append_is_caught() {
    let case = subscriptions::progress_without_events_is_told_now_and_then_only;
    catches(Bug::TellsOfEverySkippedEvent, case);
}

#[test]
fn a_page_that_hides_the_next_is_caught() {
    catches(Bug::ReadsTheLastPageOnly, streams::a_stream_is_read_forward_page_by_page);
    catches(Bug::ReadsTheLastPageOnly, streams::a_stream_is_read_backward_page_by_page);
}

#[test]
fn reliance_on_dense_numbers_is_caught() {
    catches(Bug::MistakesPlacesForCounts, log::the_log_is_read_page_by_page);
}

#[test]
fn gaps_and_duplicates_of_a_subscription_are_caught() {
    let case = subscriptions::a_subscriber_resumes_after_its_last_delivery;
    catches(Bug::SubscribesAfterTheHead, case);
    let case = subscriptions::a_subscriber_gets_what_was_there_and_then_what_comes;
    catches(Bug::SubscribesAfterTheHead, case);
    catches(Bug::DeliversTwiceAfterCatchUp, case);
    let case = subscriptions::a_subscriber_from_beyond_the_head_gets_only_what_lies_there;
    catches(Bug::SubscribesAfterTheHead, case);
}
