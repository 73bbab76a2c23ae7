//! What `#[derive(Event)]` stores, and what it can read.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals::Event;
use annals::event::json::Json;
use annals::testing::golden;
use annals_event::{CodecError, Event as _, EventBatchBuilder, EventType, NewEvent, Sequence, StreamName};
use annals_event::{Timestamp, Version, decode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Money {
    cents: u64,
}

// Not Clone, not Serialize: the derive needs neither.
#[derive(Debug, PartialEq, Event)]
#[event(type = "order.placed", version = 3)]
#[upcast(1, rename(customer = customerId, cents = total), default(kind = 7))]
#[upcast(2, with = money_of_cents)]
#[serde(rename_all = "camelCase")]
struct Placed {
    #[event(tag = "customer")]
    customer_id: String,
    total: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[event(tag)]
    note: Option<String>,
    #[serde(rename = "kind")]
    r#type: u8,
}

/// Version 2 had the cents alone.
fn money_of_cents(mut order: Json) -> Result<Json, String> {
    let cents = order.take("total").ok_or("total is missing")?;
    let mut money = Json::Object(BTreeMap::new());
    money.set("cents", cents).and_then(|()| order.set("total", money)).map_err(|error| error.to_string())?;
    Ok(order)
}

#[derive(Debug, PartialEq, Event)]
#[event(type = "order.imported", version = 1)]
struct Imported(Money);

#[derive(Debug, PartialEq, Event)]
#[event(type = "order.dated", version = 1)]
struct Dated(#[serde(with = "hex")] u32);

#[derive(Debug, PartialEq, Event)]
#[event(type = "order.cancelled", version = 1)]
struct Cancelled;

#[derive(Debug, PartialEq, Event)]
#[event(version = 1, type = "order.closed")]
struct Closed {}

#[derive(Debug, PartialEq, Event)]
enum Ended {
    Cancelled(Cancelled),
    Closed(Closed),
}

#[derive(Debug, PartialEq, Event)]
enum OrderEvent {
    Placed(Placed),
    Imported(Imported),
    Dated(Dated),
    Ended(Ended),
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:x}"))
    }
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        u32::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(D::Error::custom)
    }
}

fn placed(note: Option<&str>) -> OrderEvent {
    let (customer_id, total) = ("c-1".to_owned(), Money { cents: 995 });
    Placed { customer_id, total, note: note.map(str::to_owned), r#type: 7 }.into()
}

fn stored(event: &OrderEvent) -> (&'static str, u32, String) {
    let payload = event.encode().unwrap();
    (event.event_type(), event.schema_version(), String::from_utf8(payload.to_vec()).unwrap())
}

#[test]
fn the_stored_form_is_what_the_source_says_and_never_changes() {
    let expected = r#"{"customerId":"c-1","total":{"cents":995},"kind":7}"#;
    assert_eq!(stored(&placed(None)), ("order.placed", 3, expected.to_owned()));
    let expected = r#"{"customerId":"c-1","total":{"cents":995},"note":"gift","kind":7}"#;
    assert_eq!(stored(&placed(Some("gift"))), ("order.placed", 3, expected.to_owned()));
    let imported = OrderEvent::from(Imported(Money { cents: 1 }));
    assert_eq!(stored(&imported), ("order.imported", 1, r#"{"cents":1}"#.to_owned()));
    assert_eq!(stored(&Dated(255).into()), ("order.dated", 1, r#""ff""#.to_owned()));
    assert_eq!(stored(&Ended::from(Cancelled).into()), ("order.cancelled", 1, "{}".to_owned()));
    assert_eq!(stored(&Ended::from(Closed {}).into()), ("order.closed", 1, "{}".to_owned()));
}

#[test]
fn every_event_comes_back_as_it_was() {
    let all = || {
        [
            placed(None),
            placed(Some("gift")),
            Imported(Money { cents: u64::MAX }).into(),
            Dated(255).into(),
            Ended::from(Cancelled).into(),
            Ended::from(Closed {}).into(),
        ]
    };
    for (event, same) in all().into_iter().zip(all()) {
        let decoded = OrderEvent::decode(event.event_type(), &event.encode().unwrap()).unwrap();
        assert_eq!(decoded, Some(same));
    }
}

#[test]
fn fields_that_the_struct_does_not_know_are_passed_over() {
    let payload = br#"{"customerId":"c-1","total":{"cents":995,"currency":"USD"},"kind":7,"later":[1]}"#;
    assert_eq!(OrderEvent::decode("order.placed", payload).unwrap(), Some(placed(None)));
    let cancelled = OrderEvent::decode("order.cancelled", br#"{"reason":"none"}"#).unwrap();
    assert_eq!(cancelled, Some(Ended::from(Cancelled).into()));
}

#[test]
fn a_type_that_the_enum_does_not_know_is_no_error() {
    assert_eq!(OrderEvent::decode("payment.captured", b"{}").unwrap(), None);
    assert!(!OrderEvent::knows("payment.captured"));
    assert!(OrderEvent::knows("order.closed"));
}

#[test]
fn a_payload_that_does_not_fit_is_an_error_that_names_the_type() {
    let CodecError { event_type, reason, .. } =
        OrderEvent::decode("order.placed", br#"{"customerId":"c-1","kind":7}"#).unwrap_err();
    assert_eq!(event_type, "order.placed");
    assert!(reason.contains("missing field `total`"), "{reason}");
    assert!(OrderEvent::decode("order.cancelled", b"17").is_err());
    assert!(OrderEvent::decode("order.dated", br#""xyz""#).is_err());
}

#[test]
fn the_types_are_listed_with_their_versions() {
    assert_eq!(OrderEvent::TYPES.len(), 5);
    assert_eq!(OrderEvent::TYPES.first(), Some(&("order.placed", 3)));
}

#[test]
fn an_enum_without_variants_knows_nothing() {
    #[derive(Debug, PartialEq, Event)]
    enum Never {}
    assert_eq!(Never::decode("a", b"{}").unwrap(), None);
}

/// The event in this stored form, as a reader gets it.
fn read(
    event_type: &str,
    schema_version: u32,
    payload: &'static str,
) -> Result<Option<OrderEvent>, CodecError> {
    let event = NewEvent { schema_version, ..NewEvent::json(EventType::new(event_type).unwrap(), payload) };
    let mut batch = EventBatchBuilder::default();
    let stream = StreamName::new("order-1").unwrap();
    batch.push_new(&stream, &event, Sequence::FIRST, Version::FIRST, Timestamp::default()).unwrap();
    decode(&batch.build().unwrap().first().unwrap())
}

#[test]
fn each_older_form_becomes_the_newest_one() {
    for (version, stored) in [
        (1, r#"{"customer":"c-1","cents":995}"#),
        (2, r#"{"customerId":"c-1","total":995,"kind":7}"#),
        (3, r#"{"customerId":"c-1","total":{"cents":995},"kind":7}"#),
    ] {
        assert_eq!(read("order.placed", version, stored).unwrap(), Some(placed(None)), "{version}");
    }
}

#[test]
fn an_upcast_that_fails_is_an_error_that_names_the_version() {
    let error = read("order.placed", 2, r#"{"customerId":"c-1","kind":7}"#).unwrap_err().to_string();
    assert!(
        error.contains("\"order.placed\": upcasting schema version 2 failed: total is missing"),
        "{error}"
    );
    let error = read("order.placed", 1, "[]").unwrap_err().to_string();
    assert!(error.contains("upcasting schema version 1 failed: it is an array, not an object"), "{error}");
    let error = read("order.closed", 2, "{}").unwrap_err().to_string();
    assert!(error.contains("schema version 2 is newer than 1"), "{error}");
}

fn tags(event: &OrderEvent) -> Vec<String> {
    event.tags().unwrap().iter().map(|tag| tag.as_str().to_owned()).collect()
}

#[test]
fn fields_with_a_tag_are_stored_as_tags() {
    assert_eq!(tags(&placed(None)), ["customer:c-1"]);
    assert_eq!(tags(&placed(Some("gift"))), ["customer:c-1", "note:gift"]);
    assert!(tags(&Dated(255).into()).is_empty());
    let nobody = Placed { customer_id: String::new(), total: Money { cents: 1 }, note: None, r#type: 7 };
    let error = nobody.tags().unwrap_err().to_string();
    assert_eq!(error, "event type \"order.placed\": tag \"customer\": its value is empty");
}

#[test]
fn every_form_that_was_ever_stored_is_kept_in_a_file() {
    golden::<OrderEvent>(
        "tests/golden",
        [
            placed(Some("gift")),
            Imported(Money { cents: 1 }).into(),
            Dated(255).into(),
            Ended::from(Cancelled).into(),
            Ended::from(Closed {}).into(),
        ],
    );
}
