use super::*;
use crate::{GappedStore, Layer, LogPage};
use annals_event::{Append, ExpectedVersion, Metadata, TraceContext};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::Arc;

/// Appends an event of `service` and gives its id.
async fn happened(
    store: &dyn EventStore,
    service: &str,
    event_type: &str,
    stream: &str,
    metadata: Metadata,
) -> EventId {
    let mut event = NewEvent::json(EventType::new(event_type).unwrap(), "{}");
    event.metadata = metadata;
    event.metadata.headers.insert(SERVICE_HEADER.into(), service.into());
    let id = event.id;
    append(store, stream, vec![event]).await;
    id
}

async fn append(store: &dyn EventStore, stream: &str, events: Vec<NewEvent>) {
    let write = Append::to(StreamName::new(stream).unwrap(), ExpectedVersion::Any, events);
    store.append(write).await.unwrap();
}

fn caused_by(cause: EventId, correlation: CorrelationId) -> Metadata {
    Metadata { correlation_id: Some(correlation), causation_id: Some(cause), ..Metadata::default() }
}

fn started(correlation: CorrelationId) -> Metadata {
    Metadata { correlation_id: Some(correlation), ..Metadata::default() }
}

/// An order that is paid and shipped, among other events. Gives the ids in the order of the log.
async fn purchase(store: &dyn EventStore, correlation: CorrelationId) -> Vec<EventId> {
    let mut ids = Vec::new();
    ids.push(happened(store, "orders", "order.placed", "order-1", started(correlation)).await);
    happened(store, "orders", "order.placed", "order-2", Metadata::default()).await;
    let by = |ids: &[EventId], cause: usize| caused_by(ids[cause], correlation);
    ids.push(happened(store, "payments", "payment.authorized", "payment-1", by(&ids, 0)).await);
    ids.push(happened(store, "shipping", "shipment.created", "shipment-1", by(&ids, 1)).await);
    ids.push(happened(store, "orders", "order.paid", "order-1", by(&ids, 1)).await);
    ids.push(happened(store, "orders", "order.shipped", "order-1", by(&ids, 2)).await);
    ids
}

fn shape(tree: &CauseTree) -> Vec<(usize, &str)> {
    tree.branches().map(|branch| (branch.depth, branch.event.event_type.as_str())).collect()
}

#[tokio::test]
async fn every_event_of_a_purchase_leads_to_the_same_tree() {
    let store = GappedStore::new();
    let correlation = CorrelationId::generate();
    let ids = purchase(&store, correlation).await;
    let tree = CauseTree::of_correlation(&store, correlation).await.unwrap();
    let wanted = [
        (0, "order.placed"),
        (1, "payment.authorized"),
        (2, "shipment.created"),
        (3, "order.shipped"),
        (2, "order.paid"),
    ];
    assert_eq!(shape(&tree), wanted);
    assert_eq!(tree.services(), ["orders", "payments", "shipping"]);
    assert_eq!(tree.events().iter().map(|event| event.id).collect::<Vec<_>>(), ids);
    assert!(tree.is_complete());
    for id in ids {
        assert_eq!(CauseTree::of_event(&store, id).await.unwrap(), tree);
    }
}

#[tokio::test]
async fn a_tree_is_drawn_with_services_places_and_times() {
    let store = GappedStore::new();
    let correlation = CorrelationId::from_uuid(Uuid::from_u128(7));
    purchase(&store, correlation).await;
    let mut tree = CauseTree::of_correlation(&store, correlation).await.unwrap();
    for (place, event) in tree.events.iter_mut().enumerate() {
        event.recorded_at = Timestamp::from_micros(1_000_000 + 1_250 * i64::try_from(place).unwrap());
    }
    let lines: Vec<String> = tree.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    let wanted = "\
correlation 00000000-0000-0000-0000-000000000007: 5 events, 3 services, 5.0 ms
order.placed            orders    order-1@1     #1   +0.0 ms
`- payment.authorized   payments  payment-1@1   #8   +1.2 ms
   |- shipment.created  shipping  shipment-1@1  #10  +2.5 ms
   |  `- order.shipped  orders    order-1@3     #14  +5.0 ms
   `- order.paid        orders    order-1@2     #11  +3.7 ms";
    assert_eq!(lines, wanted.lines().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_chain_that_nobody_correlated_hangs_below_its_first_event() {
    let store = GappedStore::new();
    let first = happened(&store, "orders", "order.placed", "order-1", Metadata::default()).await;
    let second = happened(&store, "payments", "paid", "payment-1", caused_by(first, first.into())).await;
    let tree = CauseTree::of_event(&store, second).await.unwrap();
    assert_eq!(tree.correlation_id(), first.into());
    assert_eq!(shape(&tree), [(0, "order.placed"), (1, "paid")]);
}

#[tokio::test]
async fn circles_and_causes_elsewhere_make_roots_and_lose_nothing() {
    let store = GappedStore::new();
    let correlation = CorrelationId::generate();
    let [one, two, own] = [(); 3].map(|()| EventId::generate());
    for (id, cause, event_type) in [(one, two, "one"), (two, one, "two"), (own, own, "own")] {
        let event = NewEvent::json(EventType::new(event_type).unwrap(), "{}");
        append(&store, "a", vec![NewEvent { id, metadata: caused_by(cause, correlation), ..event }]).await;
    }
    happened(&store, "b", "elsewhere", "b", caused_by(EventId::generate(), correlation)).await;
    let tree = CauseTree::of_correlation(&store, correlation).await.unwrap();
    assert_eq!(shape(&tree), [(0, "one"), (1, "two"), (0, "own"), (0, "elsewhere")]);
}

#[tokio::test]
async fn what_is_not_in_the_log_is_named() {
    let store = GappedStore::new();
    purchase(&store, CorrelationId::generate()).await;
    let (event, correlation) = (EventId::generate(), CorrelationId::generate());
    assert_eq!(CauseTree::of_event(&store, event).await, Err(CausesError::UnknownEvent(event)));
    let unknown = CauseTree::of_correlation(&store, correlation).await;
    assert_eq!(unknown, Err(CausesError::UnknownCorrelation(correlation)));
}

#[tokio::test]
async fn a_long_chain_is_drawn_and_a_longer_one_is_cut_off() {
    let store = GappedStore::new();
    let correlation = CorrelationId::generate();
    let mut cause = EventId::generate();
    let mut events = Vec::new();
    for _ in 0..=EVENTS_MAX {
        let metadata = caused_by(cause, correlation);
        events.push(NewEvent { metadata, ..NewEvent::json(EventType::new("next").unwrap(), "{}") });
        cause = events.last().unwrap().id;
    }
    let rest = events.split_off(EVENTS_MAX);
    append(&store, "a", events).await;
    let tree = CauseTree::of_correlation(&store, correlation).await.unwrap();
    assert!(tree.is_complete());
    assert_eq!(tree.branches().last().unwrap().depth, EVENTS_MAX - 1);
    append(&store, "a", rest).await;
    let tree = CauseTree::of_correlation(&store, correlation).await.unwrap();
    assert_eq!((tree.events().len(), tree.is_complete()), (EVENTS_MAX, false));
    let text = tree.to_string();
    assert!(text.ends_with("... and later events, left out\n"));
    assert!(text.lines().all(|line| line.chars().count() < 160));
}

#[tokio::test]
async fn a_name_cannot_steer_the_terminal() {
    let store = GappedStore::new();
    let id = happened(&store, "\u{1b}[2Jorders\n", "a\u{202e}b", "s\u{202e}", Metadata::default()).await;
    let text = CauseTree::of_event(&store, id).await.unwrap().to_string();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
}

#[tokio::test]
async fn the_trace_is_shown_as_a_trace_backend_shows_it() {
    let store = GappedStore::new();
    let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let metadata = Metadata { trace: Some(trace), ..Metadata::default() };
    let id = happened(&store, "orders", "order.placed", "order-1", metadata).await;
    let tree = CauseTree::of_event(&store, id).await.unwrap();
    assert_eq!(tree.events()[0].trace_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}

/// Clocks of the id: hours before the log's, equal to it, and hours after it.
#[tokio::test]
async fn ids_of_clocks_that_differ_are_found() {
    const HOUR_MS: u64 = 3_600_000;
    let store = GappedStore::new();
    let millis = CorrelationId::generate().as_uuid().as_u128() >> 80;
    let millis = u64::try_from(millis).unwrap();
    for made_at_ms in [millis - 5 * HOUR_MS, millis, millis + 5 * HOUR_MS, 0, (1 << 48) - 1] {
        let uuid = uuid::Builder::from_unix_timestamp_millis(made_at_ms, &[7; 10]).into_uuid();
        let correlation = CorrelationId::from_uuid(uuid);
        purchase(&store, correlation).await;
        let tree = CauseTree::of_correlation(&store, correlation).await.unwrap();
        assert_eq!(tree.events().len(), 5, "{made_at_ms}");
    }
}

/// A store that remembers where reads began.
struct Watched(GappedStore, Mutex<Vec<Sequence>>);

#[async_trait]
impl Layer for Watched {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.1.lock().push(read.from);
        self.0.read_log(read).await
    }
    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        // As if the events were recorded long ago and the id were made just now.
        assert!(time > Timestamp::from_micros(0));
        Ok(self.0.head().await?.first.plus(3))
    }
}

#[tokio::test]
async fn the_search_begins_no_earlier_than_the_id_was_made() {
    let store = Watched(GappedStore::new(), Mutex::default());
    for _ in 0..5 {
        happened(&store, "orders", "order.placed", "order-0", Metadata::default()).await;
    }
    let correlation = CorrelationId::generate();
    purchase(&store, correlation).await;
    CauseTree::of_correlation(&store, correlation).await.unwrap();
    assert_eq!(*store.1.lock(), [Sequence::new(4)]);
}

#[tokio::test]
async fn a_tree_whose_first_event_lies_before_the_ids_clock_is_found_whole() {
    let store = Watched(GappedStore::new(), Mutex::default());
    let correlation = CorrelationId::generate();
    let ids = purchase(&store, correlation).await;
    let tree = CauseTree::of_correlation(&store, correlation).await.unwrap();
    assert_eq!(tree.events().iter().map(|event| event.id).collect::<Vec<_>>(), ids);
    assert_eq!(*store.1.lock(), [Sequence::new(4), Sequence::FIRST]);
}
