//! What the three HTTP APIs have in common.

use crate::ids::OrderId;
use annals::event::Sequence;
use serde::{Deserialize, Serialize};

/// Where to look instead of what is not there.
pub const HINT: &str = "GET / lists what there is";

/// The answer to a command: the order it was about, and a token. Reading with `wait_for=<token>` sees its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The order.
    pub order_id: OrderId,
    /// A sequence number of the log.
    pub token: u64,
}

impl Accepted {
    /// The answer about `order_id`, whose last event is at `token`.
    pub fn new(order_id: OrderId, token: Sequence) -> Self {
        Self { order_id, token: token.get() }
    }
}
