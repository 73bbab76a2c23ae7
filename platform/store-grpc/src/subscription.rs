//! A subscription that survives a broken connection.
//!
//! The client remembers the first sequence number that has not been delivered. When the connection breaks, it subscribes
//! again from there, so no event is missed or delivered twice. The first delivery afterwards comes at once, even without
//! events, and is marked as resumed, because the server's log may have been restored from a backup in the meantime.

use crate::{
    Options,
    channel::Client,
    contact::{Contact, not_understood, tell},
    retry::Retry,
};
use annals_event::Sequence;
use annals_store::{Damage, Delivery, Filter, ReadError, Subscribe, Subscription};
use annals_wire::{status, v1};
use futures::stream;
use std::sync::Arc;
use tonic::Streaming;
use tracing::debug;

/// Where the events come from.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) contact: Arc<Contact>,
    pub(crate) options: Options,
}

struct Subscriber {
    server: Server,
    /// The first sequence number that has not been delivered.
    from: Sequence,
    filter: Filter,
    /// `None`: the connection is broken.
    messages: Option<Streaming<v1::SubscribeResponse>>,
    /// Whether this is still the first connection.
    first: bool,
    /// Whether the next delivery is the first on its connection. Only that one is passed on even if it has no news.
    fresh: bool,
}

/// Subscribes, and returns the stream of deliveries.
pub(crate) async fn open(server: Server, subscribe: Subscribe) -> Result<Subscription, ReadError> {
    let Subscribe { from, filter } = subscribe;
    let mut subscriber = Subscriber { server, from, filter, messages: None, first: true, fresh: true };
    subscriber.reconnect(Retry::new(&subscriber.server.options)).await?;
    Ok(Subscription::new(stream::unfold(Some(subscriber), async |subscriber| {
        let mut subscriber = subscriber?;
        match subscriber.next().await {
            Ok(delivery) => Some((Ok(delivery), Some(subscriber))),
            Err(error) => Some((Err(error), None)),
        }
    })))
}

impl Subscriber {
    async fn next(&mut self) -> Result<Delivery, ReadError> {
        // The time for attempts starts at the first failure, not when the wait for an event starts.
        let mut retry: Option<Retry> = None;
        loop {
            let error = match self.receive().await {
                Ok(delivery) if self.is_news(&delivery) => return self.take(delivery),
                Ok(_) => {
                    retry = None;
                    continue;
                }
                Err(error) => error,
            };
            (self.messages, self.first) = (None, false);
            tell(&self.server.contact, error.is_retryable(), &error);
            let attempts = retry.get_or_insert_with(|| Retry::of_subscription(&self.server.options));
            if !error.is_retryable() || !attempts.again().await {
                return Err(error);
            }
            debug!(%error, from = self.from.get(), "subscribing again");
        }
    }

    /// Tries to subscribe until it succeeds or the time for attempts is over.
    async fn reconnect(&mut self, mut retry: Retry) -> Result<(), ReadError> {
        loop {
            match self.connect(&retry).await {
                Err(error) if error.is_retryable() => {
                    self.server.contact.lost(&error);
                    if !retry.again().await {
                        return Err(error);
                    }
                }
                connected => return connected,
            }
        }
    }

    async fn connect(&mut self, retry: &Retry) -> Result<(), ReadError> {
        let subscribe = Subscribe { from: self.from, filter: self.filter.clone() };
        let Server { client, contact, .. } = &mut self.server;
        let answering = client.subscribe(v1::SubscribeRequest::from(subscribe));
        let answer = retry.attempt(contact, answering).await;
        self.messages = Some(answer.map_err(|status| status::to_read_error(&status))?.into_inner());
        self.server.contact.found();
        self.fresh = true;
        Ok(())
    }

    async fn receive(&mut self) -> Result<Delivery, ReadError> {
        if self.messages.is_none() {
            self.connect(&Retry::new(&self.server.options)).await?;
        }
        let ended = || ReadError::Unavailable { reason: "the server ended the subscription".into() };
        let messages = self.messages.as_mut().ok_or_else(ended)?;
        let message = messages.message().await.map_err(|status| status::to_read_error(&status))?;
        Delivery::try_from(message.ok_or_else(ended)?).map_err(|error| not_understood(&error))
    }

    /// Whether the caller should see the delivery: it is the first on its connection, has events, or moves `through`.
    fn is_news(&self, delivery: &Delivery) -> bool {
        self.fresh || !delivery.events.is_empty() || delivery.through >= self.from
    }

    /// Advances past the delivery. Refuses one that goes back in the log.
    fn take(&mut self, delivery: Delivery) -> Result<Delivery, ReadError> {
        let first = delivery.events.first().map_or(Sequence::MAX, |event| event.sequence());
        let last = delivery.events.last().map_or(Sequence::ZERO, |event| event.sequence());
        if first < self.from || last > delivery.through {
            let place = "subscription".to_owned();
            let reason = format!(
                "the server delivered events {first} to {last} through {}, but was asked for events from {}",
                delivery.through, self.from
            );
            return Err(ReadError::Corrupted(Damage { place, offset: None, reason }));
        }
        let resumed = std::mem::replace(&mut self.fresh, false) && !self.first;
        self.from = self.from.max(delivery.through.next());
        Ok(Delivery { resumed, ..delivery })
    }
}
