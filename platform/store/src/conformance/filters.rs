//! Filters on reads of the log.

use super::{
    Store,
    fixture::{append, event_of, fill, log_by, of, page, stream},
};
use crate::{Filter, ReadLog};
use annals_event::{Append, Category, EventType, ExpectedVersion::Any, RecordedEvent, Sequence};

fn categories(names: &[&str]) -> Filter {
    let categories = names.iter().map(|name| Category::new(name).unwrap()).collect();
    Filter { categories, ..Filter::all() }
}

fn types(names: &[&str]) -> Filter {
    let event_types = names.iter().map(|name| EventType::new(name).unwrap()).collect();
    Filter { event_types, ..Filter::all() }
}

fn only(name: &str) -> Filter {
    Filter { stream: Some(stream(name)), ..Filter::all() }
}

/// One event on each of the streams.
async fn one_each(store: &Store, names: &[&str]) {
    for name in names {
        append(store, of(name, 1)).await;
    }
}

async fn passed(store: &Store, filter: Filter) -> Vec<RecordedEvent> {
    log_by(store, ReadLog::filtered(Sequence::FIRST, filter)).await
}

async fn streams_passed(store: &Store, filter: Filter) -> Vec<String> {
    passed(store, filter).await.iter().map(|event| event.stream.to_string()).collect()
}

pub async fn a_filter_by_category_takes_whole_categories_only(store: Store) {
    one_each(
        &store,
        &["order-1", "orders-1", "order", "payment-1", "order-2-x", "orde-r", "Order-1", "-order"],
    )
    .await;
    assert_eq!(streams_passed(&store, categories(&["order"])).await, ["order-1", "order", "order-2-x"]);
    assert_eq!(streams_passed(&store, categories(&["orders", "payment"])).await, ["orders-1", "payment-1"]);
}

pub async fn a_filter_by_stream_takes_that_stream_only(store: Store) {
    one_each(&store, &["order-1", "order-10", "order", "order-1", "Order-1"]).await;
    assert_eq!(streams_passed(&store, only("order-1")).await, ["order-1", "order-1"]);
    assert_eq!(streams_passed(&store, only("order")).await, ["order"]);
}

pub async fn a_filter_by_type_takes_those_types_only(store: Store) {
    let all = ["order.placed", "order.place", "order", "order.paid", "Order.placed"];
    for event_type in all {
        append(&store, Append::to(stream("a"), Any, vec![event_of(event_type)])).await;
    }
    let passed = passed(&store, types(&["order.placed", "order.paid", "unheard.of"])).await;
    let types: Vec<_> = passed.iter().map(|event| event.event.event_type.as_str()).collect();
    assert_eq!(types, ["order.placed", "order.paid"]);
}

pub async fn the_parts_of_a_filter_narrow_each_other(store: Store) {
    let whole = fill(&store, 30).await;
    let filter = Filter {
        categories: categories(&["order", "payment"]).categories,
        stream: Some(stream("order-2")),
        event_types: types(&["changed"]).event_types,
    };
    let wanted = whole.iter().filter(|event| event.stream.as_str() == "order-2");
    let wanted = wanted.filter(|event| event.event.event_type.as_str() == "changed");
    assert_eq!(passed(&store, filter.clone()).await, wanted.cloned().collect::<Vec<_>>());
    let contradictory = Filter { categories: categories(&["payment"]).categories, ..filter };
    assert_eq!(passed(&store, contradictory).await, []);
}

pub async fn a_filter_that_nothing_passes_still_reaches_the_head(store: Store) {
    let whole = fill(&store, 40).await;
    let head = whole[39].sequence;
    let mut read = ReadLog { events_max: 5, ..ReadLog::filtered(Sequence::FIRST, only("nowhere")) };
    loop {
        let page = page(&store, read.clone()).await;
        assert!(page.events.is_empty());
        if page.is_last() {
            assert_eq!(page.through, head, "a checkpoint may move to the head");
            return;
        }
        read.from = page.through.next();
    }
}

pub async fn a_filter_is_no_pattern(store: Store) {
    one_each(&store, &["order-1", "%", "*-1", "_rder-1", ".*", "order-%"]).await;
    for name in ["%", "*-1", "_rder-1", ".*", "order-%"] {
        assert_eq!(streams_passed(&store, only(name)).await, [name]);
    }
    assert_eq!(streams_passed(&store, categories(&["%"])).await, ["%"]);
    assert_eq!(streams_passed(&store, categories(&["*"])).await, ["*-1"]);
    assert_eq!(passed(&store, types(&["%", ".*", "happen_d"])).await, []);
}

pub async fn filtered_pages_add_up_whatever_their_size(store: Store) {
    let whole = fill(&store, 40).await;
    let wanted: Vec<_> = whole.into_iter().filter(|event| event.stream.as_str() == "payment-1").collect();
    for events_max in [1, 2, 3, 7, 100] {
        let read = ReadLog { events_max, ..ReadLog::filtered(Sequence::FIRST, categories(&["payment"])) };
        assert_eq!(log_by(&store, read).await, wanted, "{events_max} a page");
    }
}
