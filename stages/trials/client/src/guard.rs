use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use sbt_schemas::RequestStatus;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

use crate::Limits;
use crate::answer::Fault;
use crate::clock::{FAR, span};

/// The clocks of one attempt, and the order to give up.
pub(crate) struct Guard {
    /// Rings at the earliest limit that stood when it was set; it is set again only when it rings,
    /// so that a token costs no timer.
    alarm: Pin<Box<Sleep>>,
    cancelled: Pin<Box<OwnedNotified>>,
    total: Option<Instant>,
    next: Option<Instant>,
    next_status: RequestStatus,
}

impl Guard {
    pub(crate) fn new(cancel: &Arc<Notify>) -> Self {
        Self {
            alarm: Box::pin(tokio::time::sleep(FAR)),
            cancelled: Box::pin(Arc::clone(cancel).notified_owned()),
            total: None,
            next: None,
            next_status: RequestStatus::ConnectTimeout,
        }
    }

    /// Starts the clock of the connection.
    pub(crate) fn connecting(&mut self, limits: &Limits) {
        self.total = None;
        self.limit_next(limits.connect_timeout_s, RequestStatus::ConnectTimeout);
    }

    /// Starts the clocks of the answer.
    pub(crate) fn sending(&mut self, limits: &Limits) {
        self.total = after(limits.total_timeout_s);
        self.limit_next(limits.ttft_timeout_s, RequestStatus::TimeoutTtft);
    }

    /// A token came at `at`.
    pub(crate) fn token(&mut self, limits: &Limits, at: Instant) {
        self.next = limits.idle_timeout_s.and_then(span).map(|s| at + s);
        self.next_status = RequestStatus::TimeoutIdle;
        // usually it is set to ring before, and will be set again then
        if self
            .next
            .is_some_and(|at| self.alarm.deadline() > at.into())
        {
            self.set_alarm();
        }
    }

    /// Stops the clocks.
    pub(crate) fn resting(&mut self) {
        self.total = None;
        self.next = None;
        self.set_alarm();
    }

    /// Stops the clocks and waits at most `s` for what follows.
    pub(crate) fn lingering(&mut self, s: f64) {
        self.total = None;
        self.limit_next(Some(s), RequestStatus::TimeoutTotal);
    }

    fn limit_next(&mut self, s: Option<f64>, status: RequestStatus) {
        self.next = after(s);
        self.next_status = status;
        self.set_alarm();
    }

    fn earliest(&self) -> Option<Instant> {
        self.next.into_iter().chain(self.total).min()
    }

    fn set_alarm(&mut self) {
        let at = self.earliest().unwrap_or_else(|| Instant::now() + FAR);
        self.alarm.as_mut().reset(at.into());
    }

    /// Lets `work` end, unless a limit is over first.
    pub(crate) async fn watch<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Fault> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll(cx).map(Err),
        })
        .await
    }

    /// Ready when a limit is over or the run gives up.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        if self.cancelled.as_mut().poll(cx).is_ready() {
            let said = "the run ended first".to_owned();
            return Poll::Ready((RequestStatus::CancelledByClient, said));
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let is_over = |limit: Option<Instant>| limit.is_some_and(|at| at <= now);
            if is_over(self.total) {
                return Poll::Ready((RequestStatus::TimeoutTotal, "took too long".to_owned()));
            }
            if is_over(self.next) {
                return Poll::Ready((self.next_status, "nothing came in time".to_owned()));
            }
            self.set_alarm();
        }
        Poll::Pending
    }
}

fn after(s: Option<f64>) -> Option<Instant> {
    Some(Instant::now() + span(s?)?)
}
