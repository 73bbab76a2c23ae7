//! A subscription on its way out: read from the store only when the subscriber takes the next message.

use crate::page::cut;
use annals_store::{Delivery, ReadError, Subscription};
use annals_wire::{status, v1};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// About so many bytes of events are sent in one message: a stalled subscriber holds one message in the server's
/// send buffer, and a small one keeps that small.
const MESSAGE_BYTES_MAX: usize = 128 << 10;

/// Messages to a subscriber.
pub(crate) type Messages = BoxStream<'static, Result<v1::SubscribeResponse, Status>>;

struct Sender {
    subscription: Subscription,
    /// A delivery of which a part was sent, and the place of the first event that was not.
    begun: Option<(Delivery, usize)>,
    shutdown: CancellationToken,
    /// One of the subscriptions that there may be at once.
    _permit: OwnedSemaphorePermit,
}

/// The messages of `subscription`. They end with an error: the store's, or that the server shuts down.
pub(crate) fn messages(
    subscription: Subscription,
    permit: OwnedSemaphorePermit,
    shutdown: CancellationToken,
) -> Messages {
    let sender = Sender { subscription, begun: None, shutdown, _permit: permit };
    let step = async |sender: Option<Sender>| {
        let mut sender = sender?;
        match sender.next().await {
            Ok(message) => Some((Ok(message), Some(sender))),
            Err(error) => Some((Err(status::of_read_error(&error)), None)),
        }
    };
    stream::unfold(Some(sender), step).boxed()
}

impl Sender {
    async fn next(&mut self) -> Result<v1::SubscribeResponse, ReadError> {
        let (delivery, from) = match self.begun.take() {
            Some(begun) => begun,
            None => (self.delivery().await?, 0),
        };
        let cut = cut(&delivery.events, from, MESSAGE_BYTES_MAX)?;
        let rest = cut.rest.and_then(|at| Some((at, delivery.events.get(at)?.sequence())));
        let through = rest.map_or(delivery.through, |(_, sequence)| sequence.previous()).get();
        let message = v1::SubscribeResponse { events: cut.events, through, head: delivery.head.get() };
        self.begun = rest.map(|(at, _)| (delivery, at));
        Ok(message)
    }

    async fn delivery(&mut self) -> Result<Delivery, ReadError> {
        let next = self.shutdown.run_until_cancelled(self.subscription.next()).await;
        next.unwrap_or_else(|| Err(ReadError::Unavailable { reason: "the server is shutting down".into() }))
    }
}
