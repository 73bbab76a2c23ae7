//! Retries of one call: for a bounded time, and never past the caller's deadline.

use crate::{Options, contact::Contact, options::TIME_MAX};
use annals_store::Backoff;
use std::time::Duration;
use tokio::time::{self, Instant};
use tonic::Status;

/// The attempts at one request.
pub(crate) struct Retry {
    backoff: Backoff,
    /// No attempt begins after this.
    begins_max: Instant,
    /// The caller's deadline, at which an attempt under way is given up.
    ends: Instant,
    call_time_max: Duration,
}

impl Retry {
    /// Attempts whose time begins now.
    pub(crate) fn new(options: &Options) -> Self {
        let (begun, call_time_max) = (Instant::now(), options.call_time_max);
        let after = |time: Duration| begun + time.min(TIME_MAX);
        let (begins_max, ends) = (after(options.retry_time_max.min(call_time_max)), after(call_time_max));
        Self { backoff: Backoff::outage(), begins_max, ends, call_time_max }
    }

    /// Attempts at a subscription that broke: nobody waits for it who has a deadline.
    pub(crate) fn of_subscription(options: &Options) -> Self {
        Self::new(&Options { call_time_max: options.retry_time_max, ..options.clone() })
    }

    /// Waits until the next attempt is due. `false`: the time for attempts is over.
    pub(crate) async fn again(&mut self) -> bool {
        let wait = self.backoff.next_wait();
        if Instant::now() + wait > self.begins_max {
            return false;
        }
        time::sleep(wait).await;
        true
    }

    /// Makes one attempt. It fails at the caller's deadline if there is no answer by then.
    pub(crate) async fn attempt<T>(
        &self,
        contact: &Contact,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let late = || Status::unavailable(format!("no answer within {:?}", self.call_time_max));
        let answered = time::timeout_at(self.ends, contact.waiting(answer)).await;
        answered.unwrap_or_else(|_| Err(late()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_end_in_bounded_time_and_their_waits_grow() {
        let options = Options::default();
        for (mut retry, time_max, expected) in [
            (Retry::new(&options), options.call_time_max, 6..20),
            (Retry::of_subscription(&options), options.retry_time_max, 10..40),
        ] {
            let (begun, mut attempts) = (Instant::now(), 0_u32);
            while retry.again().await {
                attempts += 1;
            }
            assert!(expected.contains(&attempts), "{attempts}");
            assert!(begun.elapsed() <= time_max);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_outlives_the_callers_deadline() {
        let call_time_max = Duration::from_millis(300);
        let mut retry = Retry::new(&Options { call_time_max, ..Options::default() });
        let (begun, contact) = (Instant::now(), Contact::to("nowhere"));
        let silent = std::future::pending::<Result<(), Status>>();
        let late = retry.attempt(&contact, silent).await.unwrap_err();
        assert!(late.message().contains("300ms"), "{late}");
        assert_eq!(begun.elapsed(), call_time_max);
        assert!(!retry.again().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_may_be_as_far_away_as_times_can_be() {
        let forever = Duration::MAX;
        for (call_time_max, retry_time_max) in [(forever, forever), (forever, Duration::ZERO)] {
            let mut retry = Retry::new(&Options { call_time_max, retry_time_max, ..Options::default() });
            let answer = retry.attempt(&Contact::to("nowhere"), async { Ok(1) }).await;
            assert_eq!(answer.unwrap(), 1);
            assert_eq!(retry.again().await, retry_time_max == forever);
        }
    }
}
