//! How the shop's values stand in the columns of read models: an amount as INTEGER, ids and days as TEXT.

use crate::day::Day;
use crate::ids::{CustomerId, OrderId};
use crate::money::Cents;
use annals::read_model::{ColumnKind, ColumnType, KeyColumn, Value, ValueError};

impl ColumnType for Cents {
    const KIND: ColumnKind = ColumnKind::Integer;

    fn to_value(&self) -> Result<Value, ValueError> {
        self.get().to_value()
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        i64::from_value(value).map(Self::new)
    }
}

macro_rules! text_column {
    ($($type:ty),+) => {$(
        impl ColumnType for $type {
            const KIND: ColumnKind = ColumnKind::Text;

            fn to_value(&self) -> Result<Value, ValueError> {
                Ok(Value::Text(self.to_string()))
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                String::from_value(value)?.parse().map_err(|error| ValueError::new(format!("{error}")))
            }
        }
        impl KeyColumn for $type {}
    )+};
}

text_column!(OrderId, CustomerId, Day);
