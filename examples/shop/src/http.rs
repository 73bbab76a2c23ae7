//! What the three HTTP APIs have in common.

use crate::ids::OrderId;
use annals::event::Token;
use serde::{Deserialize, Serialize};

/// Where to look instead of what is not there.
pub const HINT: &str = "GET / lists what there is";

/// The answer to a command: the order it was about, and a token. Reading with `wait_for=<token>` sees its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The order.
    pub order_id: OrderId,
    /// What a read must contain to show the result.
    pub token: Token,
}

impl Accepted {
    /// The answer about `order_id`.
    pub fn new(order_id: OrderId, token: Token) -> Self {
        Self { order_id, token }
    }
}
