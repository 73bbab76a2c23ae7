//! Identifiers. Each is a UUID of its own type, so that one cannot be passed for another.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::{Uuid, Variant};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: UUID v7, so that ids made later sort later.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
            /// The id with this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            /// The id with these 16 bytes, in network order.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
            /// The 16 bytes, in network order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
            /// The UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
            /// An id that depends on `name` alone: the same name gives the same id, everywhere and always
            /// (UUID v5, RFC 9562).
            pub fn from_name(name: &str) -> Self {
                Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

/// The namespace of ids that are derived from a name. Stored data depends on it: never change it.
const NAMESPACE: Uuid = Uuid::from_u128(0x616e_6e61_6c73_4e53_8000_6576_656e_7473);

id! {
    /// Identifies an event, in every log, for ever.
    EventId
}
id! {
    /// Identifies an append, so that a repeat of it gets the first one's result.
    RequestId
}
id! {
    /// Ties together all that one request from outside caused. Kept along the whole chain.
    CorrelationId
}
id! {
    /// Identifies a log: made when the log is created, stored in every file and every checkpoint of a consumer.
    LogId
}

id! {
    /// Identifies one opening of a log, from when its store opened it until it was closed or died. Within one opening
    /// nothing that was appended goes away; before the next, the log may have been restored from a backup.
    Opening
}

impl EventId {
    /// The id of the `index`-th event that `consumer` derives from the event `source`.
    ///
    /// The same three give the same id, so that a repeated reaction is recognised. The source's timestamp is
    /// kept, so the id still sorts by time: bits 0..48 are the source's, the rest is a UUID v5 of the three
    /// with the version set to 7.
    pub fn derived(consumer: &str, source: EventId, index: u32) -> Self {
        let hashed = Uuid::new_v5(source.as_uuid(), format!("{consumer}/{index}").as_bytes());
        let time = source.0.as_u128() >> 80 << 80;
        let rest = hashed.as_u128() & ((1 << 80) - 1);
        let versioned = rest & !(0xF << 76) | 7 << 76;
        Self(Uuid::from_u128(time | versioned))
    }
}

impl RequestId {
    /// When the id was made, by its maker's clock, to the millisecond. `None`: the id carries no time because it is
    /// not a UUID v7, e.g. because it was derived from a name.
    pub fn made_at(&self) -> Option<Timestamp> {
        const VERSION: usize = 7;
        if self.0.get_version_num() != VERSION || self.0.get_variant() != Variant::RFC4122 {
            return None;
        }
        let millis = i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX);
        Some(Timestamp::from_micros(millis.saturating_mul(1_000)))
    }
}

impl From<EventId> for CorrelationId {
    /// A chain without a correlation id is correlated by its first event.
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable_and_differ_by_each_input() {
        let source = EventId::from_uuid(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001));
        let id = EventId::derived("payments", source, 0);
        assert_eq!(id.to_string(), EventId::derived("payments", source, 0).to_string());
        assert_ne!(id, EventId::derived("payments", source, 1));
        assert_ne!(id, EventId::derived("shipping", source, 0));
        assert_ne!(id, EventId::derived("payments", EventId::generate(), 0));
        assert_eq!(id.as_uuid().get_version_num(), 7);
        assert_eq!(id.as_bytes()[..6], source.as_bytes()[..6], "the time is the source's");
    }

    #[test]
    fn an_id_is_its_text_in_json() {
        let id = EventId::from_name("a");
        let stored = crate::json::to_vec(&id).unwrap();
        assert_eq!(stored, b"\"703b942c-fefa-5d5d-950f-c8134aa9ac94\"");
        assert_eq!(crate::json::from_slice(&stored), Ok(id));
    }

    #[test]
    fn a_generated_request_id_says_when_it_was_made_and_a_hash_does_not() {
        let id: RequestId = "01930000-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(id.made_at(), Some(Timestamp::from_micros(0x0193_0000_0000 * 1_000)));
        assert!(RequestId::generate().made_at().is_some());
        assert_eq!(RequestId::from_name("reactor/payments").made_at(), None);
        let other_variant = RequestId::from_bytes([0x77; 16]);
        assert_eq!(
            other_variant.made_at(),
            None,
            "its version says 7, but its variant is not that of RFC 9562"
        );
    }

    #[test]
    fn ids_from_names_never_change() {
        assert_eq!(EventId::from_name("a").to_string(), "703b942c-fefa-5d5d-950f-c8134aa9ac94");
    }
}
