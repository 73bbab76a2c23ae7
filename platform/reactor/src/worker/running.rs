//! A worker at work: follows the log from its mark on, makes one append of many source events, and waits out every
//! time that the store is away.

use super::ReactorWorker;
use crate::{ReactorError, Start, plan::plan};
use annals_event::{Append, Conflict, EventBatch, MarkName, Opening, Sequence};
use annals_store::{AppendError, Backoff, Delivery, Filter, ReadError, Subscribe, Subscription};
use annals_telemetry::{BatchCounts, Run, batch_span, record_batch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

/// A worker with its mark.
pub(super) struct Running<'a> {
    pub(super) worker: &'a ReactorWorker,
    pub(super) mark: MarkName,
    pub(super) filter: Filter,
    /// Where the mark is. Never ahead of the position.
    pub(super) saved: Option<Sequence>,
    /// The opening of the log that mark and events are read in. Appends are done in that one alone: in another history they
    /// would move the mark over events that nobody has seen.
    pub(super) opening: Opening,
    /// Where the reactor begins in a log without a mark.
    pub(super) start: Start,
    pub(super) stop: CancellationToken,
}

/// What came of a batch.
enum Handled {
    /// So many of its events were handled.
    Events(usize),
    /// None, since others wrote to one of the streams, or the append cannot be: decide again, one by one.
    Refused,
    /// The worker is to stop, and whether the append was done is not known.
    Stopped,
}

/// What came of an append.
enum Answer {
    Done,
    Contended,
    Stopped,
}

/// Which copy of the worker made an append.
enum By {
    Us,
    Another,
}

impl Running<'_> {
    /// Follows the log until told to stop, waiting out every time that the store is away. In a log that was restored from a
    /// backup it goes on from the mark that is there, as if it were started again.
    pub(super) async fn follow_on(&mut self) -> Result<(), ReactorError> {
        let mut backoff = Backoff::outage();
        loop {
            let before = self.position();
            match self.follow(&mut backoff).await {
                Err(ReactorError::Fenced { expected, actual, .. }) if is_set_back(expected, actual) => {
                    self.go_on_from(actual);
                }
                Err(error) if error.is_retryable() => {
                    if self.position() > before {
                        backoff = Backoff::outage();
                    }
                    self.worker.wait_out(&error, &mut backoff, &self.stop).await;
                }
                ended => return ended,
            }
        }
    }

    /// Takes up the mark of a log that was restored: up to there it was reacted to in this history, and no further.
    fn go_on_from(&mut self, mark: Option<Sequence>) {
        tracing::warn!(
            reactor = self.worker.reactor.name(),
            left_at = self.saved.unwrap_or_default().get(),
            mark = mark.unwrap_or_default().get(),
            "the log was restored from a backup; going on from the mark that it holds"
        );
        self.saved = mark;
        self.worker.board.place(mark.unwrap_or_default());
    }

    /// Follows one subscription after the other. A delivery that was handled ends an outage, also on a quiet log.
    async fn follow(&mut self, outage: &mut Backoff) -> Result<(), ReactorError> {
        while !self.stop.is_cancelled() {
            let mut subscription = self.subscribe().await?;
            loop {
                let delivery = tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Ok(()),
                    delivery = subscription.next() => delivery?,
                };
                if delivery.resumed {
                    break;
                }
                self.handle(delivery).await?;
                *outage = Backoff::outage();
            }
        }
        Ok(())
    }

    /// Begins at the mark, if that is where this copy left it. What was passed over since is nowhere written down, and a
    /// store that was away may hold a log that was restored from a backup and has other events there.
    ///
    /// Where the log was opened anew, another mark is no sign of another copy. If there is one, both go on from the same
    /// mark, and the first that moves it stops the other.
    async fn subscribe(&mut self) -> Result<Subscription, ReactorError> {
        let opening = self.worker.store().head().await?.opening;
        let has_not_begun = self.saved.is_none() && self.start != Start::Beginning;
        if opening != self.opening || has_not_begun {
            let mark = self.worker.mark_or_start(&self.mark, opening, self.start).await?;
            if mark != self.saved {
                self.go_on_from(mark);
            }
            self.opening = opening;
        }
        let saved = self.saved.unwrap_or_default();
        let subscribe = Subscribe::after(saved, self.filter.clone());
        let subscription = self.worker.store().subscribe(subscribe).await?;
        self.check_mark().await?;
        self.worker.board.place(saved);
        Ok(subscription)
    }

    /// Handles the events of `delivery` in batches. After a conflict the batch's events are handled one by one.
    async fn handle(&mut self, delivery: Delivery) -> Result<(), ReactorError> {
        let Delivery { events, through, head, .. } = delivery;
        self.worker.board.heard(head);
        let (mut done, mut single, mut backoff) = (0, 0_usize, Backoff::contention());
        let batch_max = self.worker.options.batch_events_max.max(1);
        // Of what does not go together the rest is looked at again: not much more is taken than went together last.
        let mut together = batch_max;
        while done < events.len() {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let take = if single > 0 { 1 } else { together };
            let batch = events.slice(done..done.saturating_add(take));
            match self.handle_batch(&batch).await? {
                Handled::Events(handled) => {
                    (done, single) = (done + handled, single.saturating_sub(handled));
                    let took = if handled < batch.len() { handled } else { together };
                    together = took.saturating_mul(2).clamp(1, batch_max);
                    backoff = Backoff::contention();
                }
                Handled::Refused if batch.len() > 1 => single = batch.len(),
                Handled::Refused => {
                    self.stop.run_until_cancelled(backoff.wait()).await;
                }
                Handled::Stopped => return Ok(()),
            }
        }
        self.pass_over(through).await
    }

    /// Makes one append of as many of the batch's first events as go together.
    async fn handle_batch(&mut self, batch: &EventBatch) -> Result<Handled, ReactorError> {
        let span = batch_span(self.worker.reactor.name(), Run::Live);
        let handled = self.react(batch, &span).instrument(span.clone()).await;
        if handled.is_err() {
            span.record("otel.status_code", "error");
        }
        match handled {
            // Another copy's outputs may be why a stream has moved on, or a command is refused.
            Ok(Handled::Refused) => self.check_mark().await.map(|()| Handled::Refused),
            // One by one the error names the event, and what comes before it is done.
            Err(ReactorError::Append { cause: AppendError::Invalid(_), .. }) if batch.len() > 1 => {
                Ok(Handled::Refused)
            }
            Err(error) if !error.is_retryable() => {
                self.check_mark().await?;
                Err(error)
            }
            handled => handled,
        }
    }

    async fn react(&mut self, batch: &EventBatch, span: &Span) -> Result<Handled, ReactorError> {
        let plan = plan(&self.worker.reactor, &self.worker.repositories, batch).await?;
        let handled = batch.slice(0..plan.sources);
        let Some(last) = handled.last() else { return Ok(Handled::Events(0)) };
        let outputs = plan.writes.iter().map(|write| write.events.len()).sum();
        let through = last.sequence();
        record_batch(span, BatchCounts { events: plan.sources, outputs, through });
        if plan.writes.is_empty() {
            self.pass_over(through).await?;
            return Ok(Handled::Events(plan.sources));
        }
        let append = Append { writes: plan.writes, ..Append::new() };
        Ok(match self.append(append, through).await? {
            Answer::Done => Handled::Events(plan.sources),
            Answer::Contended => Handled::Refused,
            Answer::Stopped => Handled::Stopped,
        })
    }

    /// Appends and moves the mark to `through`, both or neither. Repeats the very same append until it is answered, if only
    /// by the word that the log was opened anew.
    async fn append(&mut self, append: Append, through: Sequence) -> Result<Answer, ReactorError> {
        let append = append.set_mark(self.mark.clone(), self.saved, through).only_in(self.opening);
        let mut backoff = Backoff::outage();
        loop {
            match self.ask(&append).await {
                Ok(By::Us) => break,
                Ok(By::Another) => return Err(self.fenced().await?),
                Err(AppendError::Conflict(conflict @ Conflict::Stream { .. })) => {
                    tracing::debug!(reactor = self.worker.reactor.name(), %conflict, "deciding again");
                    return Ok(Answer::Contended);
                }
                Err(AppendError::Conflict(Conflict::Mark { mark, expected, actual })) => {
                    return Err(ReactorError::Fenced { mark, expected, actual });
                }
                Err(error) if error.may_pass() && self.stop.is_cancelled() => {
                    tracing::warn!(reactor = self.worker.reactor.name(), %error, "stopping without an answer");
                    return Ok(Answer::Stopped);
                }
                Err(cause) => {
                    let repeat = cause.may_pass();
                    let error = ReactorError::Append { through, cause };
                    if !repeat {
                        return Err(error);
                    }
                    self.worker.wait_out(&error, &mut backoff, &self.stop).await;
                }
            }
        }
        self.saved = Some(through);
        self.worker.board.moved(through);
        Ok(Answer::Done)
    }

    /// Asks for the append, and says who made it.
    ///
    /// Ids of outputs are the same for every copy, so that an append which another copy made is answered as a repeat. So
    /// is one of this copy whose answer was lost, where the adapter asked again by itself. The request id tells them
    /// apart, since each append has one of its own.
    async fn ask(&self, append: &Append) -> Result<By, AppendError> {
        match self.worker.store().append(append.clone()).await {
            Ok(receipt) if receipt.repeated && !append.writes.is_empty() => self.who_made(append).await,
            // Retention dropped it meanwhile, but its request id was found.
            Ok(_) | Err(AppendError::OriginalDropped { .. }) => Ok(By::Us),
            Err(error) => Err(error),
        }
    }

    /// Whether the log knows the append's request id: then other content under it is an error, else the mark, which has
    /// moved since, refuses it.
    async fn who_made(&self, append: &Append) -> Result<By, AppendError> {
        let (marks, opening) = (append.marks.clone(), append.opening);
        let other = Append { marks, opening, ..Append::with_request_id(append.request_id) };
        match self.worker.store().append(other).await {
            Err(AppendError::RequestIdReused { .. } | AppendError::OriginalDropped { .. }) => Ok(By::Us),
            Ok(_) | Err(AppendError::Conflict(Conflict::Stream { .. } | Conflict::Mark { .. })) => {
                Ok(By::Another)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that everything up to `through` was handled without outputs that are not in the log yet. The mark
    /// follows with the next output, or when it is far behind.
    async fn pass_over(&mut self, through: Sequence) -> Result<(), ReactorError> {
        self.worker.board.moved(through);
        let unsaved = through.get().saturating_sub(self.saved.unwrap_or_default().get());
        if unsaved >= self.worker.options.progress_every.max(1) {
            self.append(Append::new(), through).await?;
        }
        Ok(())
    }

    /// An error when the mark is not where this copy left it.
    async fn check_mark(&self) -> Result<(), ReactorError> {
        let actual = self.worker.store().mark(&self.mark).await?;
        if actual == self.saved { Ok(()) } else { Err(self.moved_to(actual).await?) }
    }

    async fn fenced(&self) -> Result<ReactorError, ReactorError> {
        let actual = self.worker.store().mark(&self.mark).await?;
        self.moved_to(actual).await
    }

    /// What it means that the mark is there: another copy moved it, unless the log was opened anew.
    async fn moved_to(&self, actual: Option<Sequence>) -> Result<ReactorError, ReactorError> {
        if self.worker.store().head().await?.opening != self.opening {
            return Ok(ReadError::Unavailable { reason: "the log was opened anew".into() }.into());
        }
        Ok(ReactorError::Fenced { mark: self.mark.clone(), expected: self.saved, actual })
    }

    fn position(&self) -> Sequence {
        self.worker.board.position()
    }
}

/// Whether a mark that this copy left at `expected` was set back. Copies only ever move it on, so the log is an older one.
fn is_set_back(expected: Option<Sequence>, actual: Option<Sequence>) -> bool {
    actual < expected
}
