//! One purchase of the file: `customer_id,date,items,total_usd`.

use annals_service::counted;
use annals_shop::day::{Day, InvalidDay};
use annals_shop::ids::{CustomerId, InvalidId, OrderId};
use annals_shop::money::{Cents, InvalidAmount};
use uuid::Uuid;

/// The file's first line, which is no purchase.
pub const HEADER: &str = "customer_id,date,items,total_usd";

/// The namespace of order ids. Recorded orders depend on it: never change it.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b0c_7d1e_2f3a_4c5d_9e6f_7061_8293_a4b5);

/// A line of the file, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The line's number in the file.
    pub line: u64,
    /// Who bought.
    pub customer_id: CustomerId,
    /// When.
    pub ordered_on: Day,
    /// How many CDs.
    pub items: u32,
    /// For how much.
    pub total: Cents,
}

/// Why a line is no purchase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPurchase {
    /// Not the four fields.
    #[error("it has {}; a purchase has four: {HEADER}", counted(.0, "field"))]
    Fields(usize),
    /// The first field is no customer.
    #[error(transparent)]
    Customer(#[from] InvalidId),
    /// The second field is no day.
    #[error(transparent)]
    Day(#[from] InvalidDay),
    /// The third field is no count.
    #[error("{0:?} is not a number of items; write digits")]
    Items(String),
    /// The fourth field is no amount.
    #[error(transparent)]
    Total(#[from] InvalidAmount),
}

impl Purchase {
    /// Reads the purchase that stands in the line of this number.
    pub fn parse(line: u64, text: &str) -> Result<Self, BadPurchase> {
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let &[customer, day, items, total] = fields.as_slice() else {
            return Err(BadPurchase::Fields(fields.len()));
        };
        Ok(Self {
            line,
            customer_id: customer.parse()?,
            ordered_on: day.parse()?,
            items: items.parse().map_err(|_| BadPurchase::Items(items.to_owned()))?,
            total: total.parse()?,
        })
    }

    /// The order that this line is: equal lines are different orders, and the same line is the same order each
    /// time the file is read.
    pub fn order_id(&self) -> OrderId {
        let Self { line, customer_id, ordered_on, items, total } = self;
        let name = format!("{line}:{customer_id},{ordered_on},{items},{total}");
        Uuid::new_v5(&NAMESPACE, name.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_stands() {
        let purchase = Purchase::parse(2, "0001,1997-01-01,2,29.33").unwrap();
        assert_eq!(purchase.customer_id.as_str(), "0001");
        assert_eq!(purchase.ordered_on.as_str(), "1997-01-01");
        assert_eq!((purchase.items, purchase.total), (2, Cents::new(2933)));
    }

    #[test]
    fn equal_lines_are_different_orders_and_ids_never_change() {
        let at = |line| Purchase::parse(line, "0001,1997-01-01,2,29.33").unwrap().order_id();
        assert_ne!(at(2), at(3));
        assert_eq!(at(2).as_str(), "45858e21-deda-5999-99ca-305c5b7faceb");
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (text, reason) in [
            ("", "it has 1 field;"),
            ("0001,1997-01-01,2", "it has 3 fields;"),
            ("0001,1997-01-01,2,29.33,5", "it has 5 fields"),
            (",1997-01-01,2,29.33", "customer id"),
            ("0001,1997-02-30,2,29.33", "day of the calendar"),
            ("0001,1997-01-01,two,29.33", "number of items"),
            ("0001,1997-01-01,-2,29.33", "number of items"),
            ("0001,1997-01-01,2,29.333", "amount of dollars"),
        ] {
            let error = Purchase::parse(7, text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
