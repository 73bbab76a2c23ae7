//! What `#[derive(Event)]` stores, and what it can read.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals::Event;
use annals::event::{CodecError, Event as _};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Money {
    cents: u64,
}

// Not Clone, not Serialize: the derive needs neither.
#[derive(Debug, PartialEq, Event)]
enum OrderEvent {
    #[event(type = "order.placed", version = 3)]
    #[serde(rename_all = "camelCase")]
    Placed {
        customer_id: String,
        total: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        #[serde(rename = "kind")]
        r#type: u8,
    },
    #[event(type = "order.imported", version = 1)]
    Imported(Money),
    #[event(type = "order.dated", version = 1)]
    Dated(#[serde(with = "hex")] u32),
    #[event(type = "order.cancelled", version = 1)]
    Cancelled,
    #[event(version = 1, type = "order.closed")]
    Closed {},
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
    OrderEvent::Placed { customer_id, total, note: note.map(str::to_owned), r#type: 7 }
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
    let imported = OrderEvent::Imported(Money { cents: 1 });
    assert_eq!(stored(&imported), ("order.imported", 1, r#"{"cents":1}"#.to_owned()));
    assert_eq!(stored(&OrderEvent::Dated(255)), ("order.dated", 1, r#""ff""#.to_owned()));
    assert_eq!(stored(&OrderEvent::Cancelled), ("order.cancelled", 1, "{}".to_owned()));
    assert_eq!(stored(&OrderEvent::Closed {}), ("order.closed", 1, "{}".to_owned()));
}

#[test]
fn every_variant_comes_back_as_it_was() {
    let all = || {
        [
            placed(None),
            placed(Some("gift")),
            OrderEvent::Imported(Money { cents: u64::MAX }),
            OrderEvent::Dated(255),
            OrderEvent::Cancelled,
            OrderEvent::Closed {},
        ]
    };
    for (event, same) in all().into_iter().zip(all()) {
        let decoded = OrderEvent::decode(event.event_type(), &event.encode().unwrap()).unwrap();
        assert_eq!(decoded, Some(same));
    }
}

#[test]
fn fields_that_the_enum_does_not_know_are_passed_over() {
    let payload = br#"{"customerId":"c-1","total":{"cents":995,"currency":"USD"},"kind":7,"later":[1]}"#;
    assert_eq!(OrderEvent::decode("order.placed", payload).unwrap(), Some(placed(None)));
    let cancelled = OrderEvent::decode("order.cancelled", br#"{"reason":"none"}"#).unwrap();
    assert_eq!(cancelled, Some(OrderEvent::Cancelled));
}

#[test]
fn a_type_that_the_enum_does_not_know_is_no_error() {
    assert_eq!(OrderEvent::decode("payment.captured", b"{}").unwrap(), None);
    assert!(!OrderEvent::knows("payment.captured"));
    assert!(OrderEvent::knows("order.closed"));
}

#[test]
fn a_payload_that_does_not_fit_is_an_error_that_names_the_type() {
    let CodecError { event_type, reason } =
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
