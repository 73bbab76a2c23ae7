//! How far an order is. Payment and parcel go their own ways: a refund may overtake a delivery.

use annals::read_model::{ColumnKind, ColumnType, Value, ValueError};
use serde::{Deserialize, Serialize};

/// How far the payment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing was heard of it yet.
    #[default]
    Pending,
    /// The money is here.
    Paid,
    /// There will be no money.
    Refused,
    /// The money went back.
    Refunded,
}

/// How far the parcel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParcelStatus {
    /// It has not left.
    #[default]
    Pending,
    /// It is on its way.
    Shipped,
    /// It arrived.
    Delivered,
}

macro_rules! word_column {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl $type {
            /// The status as a word, the same in JSON and in the read model.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
        impl ColumnType for $type {
            const KIND: ColumnKind = ColumnKind::Text;

            fn to_value(&self) -> Result<Value, ValueError> {
                Ok(Value::Text(self.as_str().to_owned()))
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                match String::from_value(value)?.as_str() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(ValueError::new(format!("{other:?} is no status"))),
                }
            }
        }
    };
}

word_column!(PaymentStatus { Pending = "pending", Paid = "paid", Refused = "refused", Refunded = "refunded" });
word_column!(ParcelStatus { Pending = "pending", Shipped = "shipped", Delivered = "delivered" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_same_word_in_json_and_in_a_column() {
        for status in
            [PaymentStatus::Pending, PaymentStatus::Paid, PaymentStatus::Refused, PaymentStatus::Refunded]
        {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(PaymentStatus::from_value(status.to_value().unwrap()).unwrap(), status);
        }
        for status in [ParcelStatus::Pending, ParcelStatus::Shipped, ParcelStatus::Delivered] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(ParcelStatus::from_value(status.to_value().unwrap()).unwrap(), status);
        }
    }
}
