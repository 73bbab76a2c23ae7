//! A request's body on its way in: reserved before it is read, never longer than it said, never silent for long.
//!
//! A plain body reserves its length, or the largest there may be when it does not say. The body of a gRPC request says in
//! its first five bytes how long its one message is; those are read first. Reserving frame by frame instead would let
//! many half messages wait for each other's end. What came with them is kept as a copy, and counted, while the message waits.

use crate::{
    budget::{Crowded, Reservation, Share},
    limits::{HttpLimits, PREFIX_BYTES},
    refusal::Refusal,
};
use axum::http::{Request, header};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// How far a request's body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody has asked for it yet.
    Unread,
    /// It waits for its part of the budget.
    Waiting,
    /// It is being read.
    Arriving,
    /// All of it was read, or there is none.
    Whole,
}

/// What a request's body tells whoever answers for the server. A clone is of the same request. Holds the reservation
/// until the request is answered and nobody has the body any more.
#[derive(Clone, Debug)]
pub(crate) struct Exchange(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    refusal: Option<Refusal>,
    /// Whether the request may take long once its body was read.
    is_unhurried: bool,
    _reservation: Option<Reservation>,
}

impl Exchange {
    /// Of a request without a body.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            phase: Phase::Whole,
            refusal: None,
            is_unhurried: false,
            _reservation: None,
        })))
    }

    pub(crate) fn phase(&self) -> Phase {
        self.with(|state| state.phase)
    }

    /// The request may take long once its body was read.
    pub(crate) fn take_time(&self) {
        self.with(|state| state.is_unhurried = true);
    }

    /// Whether the request may take longer than its body did.
    pub(crate) fn has_time(&self) -> bool {
        self.with(|state| state.is_unhurried && state.phase == Phase::Whole)
    }

    /// Why the body was not read to its end.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.with(|state| state.refusal)
    }

    /// Somebody reads the body, and this is what it waits for.
    fn is_asked_for(&self, step: &Step) {
        let phase = if matches!(step, Step::Reserving(..)) { Phase::Waiting } else { Phase::Arriving };
        self.with(|state| state.phase = if state.phase == Phase::Whole { Phase::Whole } else { phase });
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a request is one of gRPC.
pub(crate) fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

type Reserving = Pin<Box<dyn Future<Output = Result<Reservation, Crowded>> + Send>>;

enum Step {
    /// gRPC: reads until it is clear how long the message is.
    Prefix,
    /// Waits until so many bytes may be read.
    Reserving(Reserving, u32),
    /// Reads so many bytes, and what was read already.
    Reading(u64),
}

/// A body within its limits.
pub(crate) struct LimitedBody<B> {
    inner: B,
    exchange: Exchange,
    share: Share,
    step: Step,
    /// Read before there was a reservation; less than a prefix and a frame, and nothing beyond the message.
    early: VecDeque<Bytes>,
    bytes_max: u32,
    /// What a longer body is refused with.
    too_large: Refusal,
    pause_max: Duration,
    pause: Option<Pin<Box<Sleep>>>,
}

/// The body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError<E> {
    #[error("{0}")]
    Refused(Refusal),
    #[error(transparent)]
    Inner(E),
}

/// What polling a body gives.
type Polled<B> = Poll<Option<Result<Frame<Bytes>, BodyError<<B as Body>::Error>>>>;

impl<B: Body<Data = Bytes>> LimitedBody<B> {
    /// The body of a request, which is known to have one. `Err`: it says itself that it is too large.
    pub(crate) fn new(
        request: Request<B>,
        limits: &HttpLimits,
        share: Share,
        exchange: &Exchange,
    ) -> Result<Request<Self>, Refusal> {
        let is_grpc = is_grpc(&request);
        let (parts, inner) = request.into_parts();
        let bytes_max = if is_grpc { limits.message_bytes_max } else { limits.body_bytes_max };
        let too_large = Refusal::TooLarge { bytes_max };
        let step = if is_grpc {
            Step::Prefix
        } else {
            let bytes = inner.size_hint().exact().unwrap_or(u64::from(bytes_max));
            let bytes = u32::try_from(bytes).ok().filter(|bytes| *bytes <= bytes_max).ok_or(too_large)?;
            Step::Reserving(Box::pin(share.clone().reserve(bytes)), bytes)
        };
        exchange.with(|state| state.phase = Phase::Unread);
        let body = Self {
            inner,
            exchange: exchange.clone(),
            share,
            step,
            early: VecDeque::new(),
            bytes_max,
            too_large,
            pause_max: limits.body_pause_max,
            pause: None,
        };
        Ok(Request::from_parts(parts, body))
    }

    fn refuse(&self, refusal: Refusal) -> BodyError<B::Error> {
        self.exchange.with(|state| state.refusal = state.refusal.or(Some(refusal)));
        BodyError::Refused(refusal)
    }

    /// The next frame from outside, which may not take too long.
    fn poll_inner(&mut self, context: &mut Context<'_>) -> Polled<B>
    where
        B: Unpin,
    {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            let is_news = |frame: &Frame<Bytes>| frame.data_ref().is_none_or(|data| !data.is_empty());
            if frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(is_news)) {
                self.pause = None;
            }
            if frame.is_none() || self.inner.is_end_stream() {
                self.exchange.with(|state| state.phase = Phase::Whole);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Inner)));
        }
        let pause_max = self.pause_max;
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(pause_max)));
        ready!(pause.as_mut().poll(context));
        pause.as_mut().reset(Instant::now() + pause_max);
        Poll::Ready(Some(Err(self.refuse(Refusal::SlowBody))))
    }

    /// The message's length once the bytes before it are there.
    fn message_length(&self) -> Option<u32> {
        let mut prefix = self.early.iter().flatten().copied();
        let _is_compressed = prefix.next()?;
        let length = [prefix.next()?, prefix.next()?, prefix.next()?, prefix.next()?];
        Some(u32::from_be_bytes(length))
    }

    /// What to do once a gRPC message's length is known. One that is too large is told by its own code from its prefix; what
    /// goes on past its end does not wait for that.
    fn after_prefix(&self, length: u32) -> Result<Step, BodyError<B::Error>> {
        let early = self.early.iter().map(Bytes::len).sum::<usize>();
        let early = u64::try_from(early).unwrap_or(u64::MAX);
        if length > self.bytes_max {
            return Ok(Step::Reading(early));
        }
        let bytes = length.saturating_add(PREFIX_BYTES);
        if early > u64::from(bytes) {
            return Err(self.refuse(self.too_large));
        }
        Ok(Step::Reserving(Box::pin(self.share.clone().reserve(bytes)), bytes))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for LimitedBody<B> {
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            this.exchange.is_asked_for(&this.step);
            match &mut this.step {
                Step::Prefix => match ready!(this.poll_inner(context)?) {
                    Some(frame) => {
                        if let Ok(data) = frame.into_data() {
                            // A part of what was read from the connection would keep all of it.
                            this.early.push_back(Bytes::copy_from_slice(&data));
                        }
                        if let Some(length) = this.message_length() {
                            this.step = this.after_prefix(length)?;
                        }
                    }
                    // Less than a prefix: whoever decodes it says so.
                    None => this.step = Step::Reading(u64::from(PREFIX_BYTES)),
                },
                Step::Reserving(reserving, bytes) => {
                    let (reserved, bytes) = (ready!(reserving.as_mut().poll(context)), *bytes);
                    let reservation = reserved.map_err(|Crowded| this.refuse(Refusal::Crowded))?;
                    this.exchange.with(|state| state._reservation = Some(reservation));
                    this.step = Step::Reading(u64::from(bytes));
                }
                Step::Reading(left) => {
                    let left = *left;
                    let frame = match this.early.pop_front() {
                        Some(early) => Some(Frame::data(early)),
                        None => ready!(this.poll_inner(context)?),
                    };
                    let bytes = frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
                    let Some(left) = left.checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX)) else {
                        return Poll::Ready(Some(Err(this.refuse(this.too_large))));
                    };
                    this.step = Step::Reading(left);
                    return Poll::Ready(frame.map(Ok));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.step, Step::Reading(_)) && self.early.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for LimitedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedBody").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use futures::{FutureExt, StreamExt, stream};

    fn limits() -> HttpLimits {
        let body_pause_max = Duration::from_millis(1);
        HttpLimits {
            body_bytes_max: 10,
            message_bytes_max: 10,
            budget_bytes: 0,
            body_pause_max,
            ..HttpLimits::default()
        }
    }

    /// The body of a request of this type that arrives in these parts, and then as `rest`.
    fn request(
        content_type: &str,
        parts: &[&'static [u8]],
        rest: impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
    ) -> Request<axum::body::Body> {
        let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from_static(part))).collect();
        let body = axum::body::Body::from_stream(stream::iter(parts).chain(rest));
        Request::builder().header(header::CONTENT_TYPE, content_type).body(body).unwrap()
    }

    async fn read(request: Request<axum::body::Body>, share: &Share) -> (Option<Vec<u8>>, Exchange) {
        let exchange = Exchange::new();
        let request = LimitedBody::new(request, &limits(), share.clone(), &exchange).unwrap();
        let body = axum::body::to_bytes(axum::body::Body::new(request.into_body()), 1_000).await;
        (body.ok().map(Into::into), exchange)
    }

    const GRPC: &str = "application/grpc+proto";

    #[tokio::test]
    async fn a_whole_message_is_reserved_from_before_the_read_until_the_answer() {
        let share = Budget::new(&limits()).share();
        let whole = || request(GRPC, &[b"\0\0", b"\0\0\x0a123", b"4567890"], stream::empty());
        let (body, exchange) = read(whole(), &share).await;
        assert_eq!((body.unwrap().len(), exchange.phase()), (15, Phase::Whole));
        let next = request(GRPC, &[b"\0\0\0\0\x01", b"1"], stream::empty());
        let mut waits = Box::pin(read(next, &share));
        assert!(waits.as_mut().now_or_never().is_none(), "the first request is not answered yet");
        drop(exchange);
        assert_eq!(waits.await.0.unwrap().len(), 6);
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_reserves_the_largest_and_may_not_be_larger() {
        let share = Budget::new(&limits()).share();
        let (body, _) = read(request("text/plain", &[b"12345", b"67890"], stream::empty()), &share).await;
        assert_eq!(body.unwrap().len(), 10);
        let (body, exchange) =
            read(request("text/plain", &[b"12345", b"678901"], stream::empty()), &share).await;
        assert_eq!((body, exchange.refusal()), (None, Some(Refusal::TooLarge { bytes_max: 10 })));
    }

    #[tokio::test]
    async fn a_second_message_and_a_message_that_stops_are_refused() {
        let share = Budget::new(&limits()).share();
        let two = request(GRPC, &[b"\0\0\0\0\x01", b"1", b"\0\0\0\0\x01", b"1"], stream::empty());
        let (body, exchange) = read(two, &share).await;
        assert_eq!((body, exchange.refusal()), (None, Some(Refusal::TooLarge { bytes_max: 10 })));
        for parts in [&[&b"\0\0\0"[..]][..], &[b"\0\0\0\0\x02", b"1"]] {
            let (body, exchange) = read(request(GRPC, parts, stream::pending()), &share).await;
            assert_eq!((body, exchange.refusal()), (None, Some(Refusal::SlowBody)));
        }
    }

    #[tokio::test]
    async fn a_first_frame_that_is_longer_than_its_message_does_not_wait() {
        let share = Budget::new(&limits()).share();
        let (_, held) = read(request(GRPC, &[b"\0\0\0\0\x0a1234567890"], stream::empty()), &share).await;
        let longer = request(GRPC, &[b"\0\0\0\0\x0112"], stream::pending());
        let (body, exchange) = read(longer, &share).now_or_never().expect("it is refused at once");
        assert_eq!((body, exchange.refusal()), (None, Some(Refusal::TooLarge { bytes_max: 10 })));
        drop(held);
    }

    #[tokio::test]
    async fn what_is_kept_of_a_frame_keeps_nothing_else_of_what_was_read_with_it() {
        let share = Budget::new(&limits()).share();
        let (_, held) = read(request(GRPC, &[b"\0\0\0\0\x0a1234567890"], stream::empty()), &share).await;
        for part in [4, 6] {
            let input = Bytes::from(b"\0\0\0\0\x0a1, and what others sent".to_vec());
            let begun = stream::iter([Ok(input.slice(..part))]).chain(stream::pending());
            let mut waits = Box::pin(read(request(GRPC, &[], begun), &share));
            assert!(waits.as_mut().now_or_never().is_none());
            assert!(input.is_unique(), "{part} bytes keep all {}", input.len());
        }
        drop(held);
    }

    #[tokio::test]
    async fn of_a_message_that_is_too_large_no_more_than_its_length_is_read() {
        let share = Budget::new(&limits()).share();
        let exchange = Exchange::new();
        let large = request(GRPC, &[b"\0\0\0\0\x0b1", b"2"], stream::pending());
        let body = LimitedBody::new(large, &limits(), share, &exchange).unwrap().into_body();
        let mut frames = axum::body::Body::new(body).into_data_stream();
        assert_eq!(frames.next().await.unwrap().unwrap(), &b"\0\0\0\0\x0b1"[..]);
        assert!(frames.next().await.unwrap().is_err());
        assert_eq!(exchange.refusal(), Some(Refusal::TooLarge { bytes_max: 10 }));
    }
}
