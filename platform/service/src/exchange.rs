//! One request and its answer, within their limits.
//!
//! What always holds: a body is reserved before it is read, and the reservation is kept until the request is answered; each
//! request is answered in time, by the routes or by a [`Refusal`], unless it is [`Unhurried`]; an answer over HTTP/2 is taken in
//! time or given up, unless it is [`LongLived`].

use crate::{
    body::{Exchange, LimitedBody, Phase, is_grpc},
    budget::Share,
    limits::HttpLimits,
    refusal::{Again, Refusal},
};
use axum::{
    Router,
    body::Body,
    extract::FromRequestParts,
    http::{Request, request::Parts},
    response::Response,
};
use bytes::Bytes;
use hyper::rt::Executor;
use std::{cell::Cell, convert::Infallible, future::Future, pin::pin, time::Duration};
use tokio::{sync::watch, time::timeout};
use tower::ServiceExt;

/// Marks an answer, by standing in its extensions, as one that goes on for as long as the caller wants: a subscription. No
/// deadline ends it.
#[derive(Clone, Copy, Debug)]
pub struct LongLived;

/// An extractor that says that answering may take long: a backup. No deadline ends the request once its body was read.
#[derive(Clone, Copy, Debug)]
pub struct Unhurried;

impl<S: Sync> FromRequestParts<S> for Unhurried {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        if let Some(exchange) = parts.extensions.get::<Exchange>() {
            exchange.take_time();
        }
        Ok(Self)
    }
}

tokio::task_local! {
    /// Whether the answer that the task sends is [`LongLived`].
    static IS_LONG_LIVED: Cell<bool>;
}

/// Answers a request within the limits.
pub(crate) async fn answer<B>(
    router: Router,
    request: Request<B>,
    limits: &HttpLimits,
    share: Share,
) -> Result<Response, Infallible>
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let (is_grpc, exchange) = (is_grpc(&request), Exchange::new());
    let too_slow = Refusal::TooSlow { time_max: limits.request_time_max, again: Again::of(request.method()) };
    let mut request = if request.body().is_end_stream() {
        request.map(|_| Body::empty())
    } else {
        match LimitedBody::new(request, limits, share, &exchange) {
            Ok(request) => request.map(Body::new),
            Err(refusal) => return Ok(refusal.answer(is_grpc)),
        }
    };
    request.extensions_mut().insert(exchange.clone());
    let mut answering = pin!(router.oneshot(request));
    let mut answer = timeout(limits.request_time_max, answering.as_mut()).await;
    if answer.is_err() && exchange.has_time() {
        let_it_last();
        answer = Ok(answering.await);
    }
    let refusal = exchange.refusal().or_else(|| {
        let late = || match exchange.phase() {
            Phase::Waiting => Refusal::Crowded,
            Phase::Arriving => Refusal::SlowBody,
            Phase::Unread | Phase::Whole => too_slow,
        };
        answer.is_err().then(late)
    });
    match (refusal, answer) {
        (None, Ok(answer)) => {
            let answer = answer?;
            if answer.extensions().get::<LongLived>().is_some() {
                let_it_last();
            }
            Ok(answer)
        }
        (refusal, _) => Ok(refusal.unwrap_or(too_slow).answer(is_grpc)),
    }
}

/// Takes the deadline of the whole exchange away. Over HTTP/1 there is none.
fn let_it_last() {
    let _ = IS_LONG_LIVED.try_with(|is_long_lived| is_long_lived.set(true));
}

/// The requests of one HTTP/2 connection, from their headers until their answers are taken. A clone is of the same
/// connection.
#[derive(Clone, Debug)]
pub(crate) struct Exchanges {
    open: watch::Sender<usize>,
    time_max: Duration,
}

impl Exchanges {
    /// None yet.
    pub(crate) fn new(limits: &HttpLimits) -> Self {
        let time_max = limits.request_time_max.saturating_add(limits.answer_time_max);
        Self { open: watch::Sender::new(0), time_max }
    }

    /// Waits until there was none for so long.
    pub(crate) async fn idle_for(&self, idle_max: Duration) {
        let mut open = self.open.subscribe();
        loop {
            // Both fail when there is no sender, and here is one.
            if open.wait_for(|open| *open == 0).await.is_err() {
                return;
            }
            if timeout(idle_max, open.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// Counts one exchange while it lasts.
struct Open(watch::Sender<usize>);

impl Open {
    fn new(open: watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open = open.saturating_add(1));
        Self(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open = open.saturating_sub(1));
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Exchanges {
    /// Dropping an exchange resets its stream.
    fn execute(&self, exchange: F) {
        let (open, time_max) = (Open::new(self.open.clone()), self.time_max);
        tokio::spawn(IS_LONG_LIVED.scope(Cell::new(false), async move {
            let _open = open;
            let mut exchange = pin!(exchange);
            let ended = timeout(time_max, exchange.as_mut()).await;
            if ended.is_err() && IS_LONG_LIVED.with(Cell::get) {
                exchange.await;
            }
        }));
    }
}
