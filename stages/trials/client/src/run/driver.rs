use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sbt_schemas::RequestStatus;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::MissedTickBehavior;

use super::request::{Ended, Request, serve};
use crate::answer::Expected;
use crate::body::{Bodies, Conversation};
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::guard::Guard;
use crate::pacer::Pacer;
use crate::{Ask, AtCap, ClientError, Counts, Lag, Observed, Observer, Warning};

/// How often the observer is asked and told.
const TICK: Duration = Duration::from_millis(50);

/// Lateness of a send that is worth a word.
const LATE_S: f64 = 0.002;

/// One ask on its way.
#[derive(Default)]
struct Slot {
    /// What is to be sent: made before t0 where nothing goes before it.
    body: Option<Bytes>,
    /// The text of its own, kept for asks that carry it on.
    text: Option<String>,
    /// What was said before it.
    before: Arc<Conversation>,
    /// Asks that follow it.
    followers: Vec<usize>,
    /// When the schedule wants it sent, once that is known.
    intended_s: f64,
    seen: Option<Observed>,
}

/// Knows of every ask where it is, and releases the next.
pub(super) struct Driver<'a> {
    asks: &'a [Ask],
    bodies: Bodies,
    slots: Vec<Slot>,
    /// Asks whose time is known and not yet there, by nanoseconds from t0.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    /// Asks whose time has come, while as many are in flight as may be.
    queue: VecDeque<usize>,
    /// Connections; the last used is used first, so that the others may be closed.
    idle: Vec<Connection>,
    in_flight: u64,
    peak_in_flight: u64,
    /// Whether no ask is measured: then all are waited for.
    waits_for_all: bool,
    measured_left: usize,
    measured_unsent: usize,
    counts: Counts,
    lags: Vec<f64>,
    /// When the last measured ask was sent.
    drains_from_s: Option<f64>,
    /// Whether nothing more is sent.
    is_ending: bool,
}

impl<'a> Driver<'a> {
    pub(super) fn new(asks: &'a [Ask], bodies: Bodies, idle: Vec<Connection>) -> Self {
        let mut slots: Vec<Slot> = Vec::new();
        slots.resize_with(asks.len(), Slot::default);
        let mut due = BinaryHeap::new();
        let measured = asks.iter().filter(|a| a.measured).count();
        let waited_for = if measured == 0 { asks.len() } else { measured };
        for (index, ask) in asks.iter().enumerate() {
            match ask.after {
                Some(before) => slots[before].followers.push(index),
                None => {
                    slots[index].intended_s = ask.start_s;
                    due.push(Reverse((nanoseconds(ask.start_s), index)));
                }
            }
        }
        let mut driver = Self {
            asks,
            bodies,
            slots,
            due,
            queue: VecDeque::new(),
            idle,
            in_flight: 0,
            peak_in_flight: 0,
            waits_for_all: measured == 0,
            measured_left: waited_for,
            measured_unsent: waited_for,
            counts: Counts {
                asked: asks.len(),
                ..Counts::default()
            },
            lags: Vec::with_capacity(asks.len()),
            drains_from_s: None,
            is_ending: false,
        };
        for (index, ask) in asks.iter().enumerate() {
            if !ask.continues {
                driver.prepare(index);
            }
        }
        driver
    }

    pub(super) fn peak_in_flight(&self) -> u64 {
        self.peak_in_flight
    }

    pub(super) fn into_requests(self) -> Vec<Observed> {
        let lost = || {
            let said = Some("no account of it".to_owned());
            Observed::unsent(0.0, RequestStatus::ClientFault, said)
        };
        self.slots
            .into_iter()
            .map(|slot| slot.seen.unwrap_or_else(lost))
            .collect()
    }

    /// Runs to the end; gives when that was, and how late the sends were.
    pub(super) async fn drive(
        &mut self,
        exchange: Arc<Exchange>,
        mut pacer: Pacer,
        observer: &dyn Observer,
    ) -> Result<(f64, Lag), ClientError> {
        let clock = exchange.clock;
        let (sender, mut ended) = mpsc::unbounded_channel();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.measured_left > 0 || self.in_flight > 0 {
            self.release(&exchange, &sender);
            if self.measured_left == 0 {
                self.end(&exchange);
            }
            let next = self.next_due(clock.t0);
            tokio::select! {
                biased;
                Some(one) = ended.recv() => self.take(&exchange, one, &mut ended),
                woken = pacer.wait(next) => woken?,
                _ = tick.tick() => {
                    observer.progress(self.counts());
                    if observer.stop() || self.is_drained(&exchange) {
                        self.end(&exchange);
                    }
                }
            }
        }
        self.end(&exchange);
        observer.progress(self.counts());
        Ok((clock.now(), Lag::of(std::mem::take(&mut self.lags))))
    }

    fn counts(&self) -> Counts {
        Counts {
            in_flight: usize::try_from(self.in_flight).unwrap_or(usize::MAX),
            ..self.counts
        }
    }

    fn next_due(&self, t0: Instant) -> Option<Instant> {
        let Reverse((ns, _)) = self.due.peek()?;
        Some(t0 + Duration::from_nanos(*ns))
    }

    /// Makes text and body of an ask whose conversation is known.
    fn prepare(&mut self, index: usize) {
        let ask = &self.asks[index];
        let slot = &mut self.slots[index];
        let text = self.bodies.text(ask, &slot.before);
        slot.body = Some(self.bodies.body(&text, &slot.before, ask.output_tokens));
        if slot.followers.iter().any(|&f| self.asks[f].continues) {
            slot.text = Some(text);
        }
    }

    /// Sends what is due.
    fn release(&mut self, exchange: &Arc<Exchange>, sender: &UnboundedSender<Ended>) {
        let limit = exchange.limits.max_in_flight.unwrap_or(u64::MAX).max(1);
        while let Some(&Reverse((ns, index))) = self.due.peek() {
            let now_s = exchange.clock.now();
            if nanoseconds(now_s) < ns {
                break;
            }
            self.due.pop();
            self.lags
                .push((now_s - self.slots[index].intended_s).max(0.0));
            match exchange.limits.at_cap {
                AtCap::Shed if self.in_flight + self.queue.len() as u64 >= limit => {
                    self.not_sent(exchange, index, RequestStatus::NotSentCap, None);
                }
                AtCap::Shed | AtCap::Queue => self.queue.push_back(index),
            }
        }
        while self.in_flight < limit
            && let Some(index) = self.queue.pop_front()
        {
            self.send(exchange, sender, index);
        }
    }

    fn send(&mut self, exchange: &Arc<Exchange>, sender: &UnboundedSender<Ended>, index: usize) {
        let ask = &self.asks[index];
        let carried_on = self.slots[index].text.is_some();
        let slot = &mut self.slots[index];
        self.in_flight += 1;
        self.peak_in_flight = self.peak_in_flight.max(self.in_flight);
        let now_s = exchange.clock.now();
        let request = Request {
            ask: index,
            intended_s: slot.intended_s,
            dispatched_s: now_s,
            in_flight: self.in_flight,
            body: slot.body.take().unwrap_or_default(),
            expected: Expected {
                output_tokens: ask.output_tokens.into(),
                usage: self.bodies.features.include_usage,
                ignore_eos: self.bodies.features.ignore_eos,
                keep_text: ask.keep_text || carried_on,
            },
            idle: self.idle.pop(),
            guard: Guard::new(&exchange.cancel),
        };
        if self.is_waited_for(index) {
            self.measured_unsent -= 1;
            self.drains_from_s = Some(now_s);
        }
        let (exchange, sender) = (Arc::clone(exchange), sender.clone());
        tokio::spawn(async move {
            // the driver outlives its requests
            let _ = sender.send(serve(exchange, request).await);
        });
    }

    /// Takes all that has ended.
    fn take(&mut self, exchange: &Exchange, first: Ended, ended: &mut UnboundedReceiver<Ended>) {
        let mut next = Some(first);
        while let Some(Ended {
            ask,
            mut seen,
            idle,
        }) = next
        {
            self.in_flight -= 1;
            self.idle.extend(idle);
            if seen
                .dispatched_s
                .is_some_and(|at| at - seen.intended_s > LATE_S)
            {
                seen.warn(Warning::LateSend);
            }
            for (follower, status, error) in self.settle(ask, seen) {
                self.not_sent(exchange, follower, status, error);
            }
            next = ended.try_recv().ok();
        }
    }

    /// Closes the account of an ask that is not sent, and of those that fall with it.
    fn not_sent(
        &mut self,
        exchange: &Exchange,
        index: usize,
        status: RequestStatus,
        error: Option<String>,
    ) {
        // a list and no recursion: a chain may be as long as the schedule
        let mut unsent = vec![(index, status, error)];
        while let Some((index, status, error)) = unsent.pop() {
            if self.is_waited_for(index) {
                self.measured_unsent -= 1;
            }
            let mut seen = Observed::unsent(self.slots[index].intended_s, status, error);
            seen.end_s = Some(exchange.clock.now());
            unsent.extend(self.settle(index, seen));
        }
    }

    fn is_waited_for(&self, index: usize) -> bool {
        self.waits_for_all || self.asks[index].measured
    }

    /// Closes the account of an ask and lets its followers go; gives those that are not to be sent.
    fn settle(
        &mut self,
        index: usize,
        mut seen: Observed,
    ) -> Vec<(usize, RequestStatus, Option<String>)> {
        if self.is_waited_for(index) {
            self.measured_left -= 1;
        }
        if seen.status.is_complete() {
            self.counts.ok += 1;
        } else {
            self.counts.failed += 1;
        }
        let end_s = seen.end_s.unwrap_or(seen.intended_s);
        let conversation = self.conversation(index, &seen);
        if !self.asks[index].keep_text {
            seen.text = String::new();
        }
        let mut unsent = Vec::new();
        for follower in std::mem::take(&mut self.slots[index].followers) {
            let ask = &self.asks[follower];
            let pause_s = match seen.retry_after_s {
                Some(asked_s) if seen.status.is_refusal() => ask.start_s.max(asked_s),
                _ => ask.start_s,
            };
            self.slots[follower].intended_s = end_s + pause_s;
            if self.is_ending {
                unsent.push((follower, RequestStatus::NotSentLate, None));
                continue;
            }
            if ask.continues {
                let Some(conversation) = &conversation else {
                    let said = format!("the turn before it ended with `{}`", seen.status);
                    unsent.push((follower, RequestStatus::NotSentLate, Some(said)));
                    continue;
                };
                self.slots[follower].before = Arc::clone(conversation);
                self.prepare(follower);
            }
            let ns = nanoseconds(end_s + pause_s);
            self.due.push(Reverse((ns, follower)));
        }
        self.slots[index].seen = Some(seen);
        unsent
    }

    /// What was said up to the end of an ask; none when it failed or nobody carries it on.
    fn conversation(&mut self, index: usize, seen: &Observed) -> Option<Arc<Conversation>> {
        let slot = &mut self.slots[index];
        let text = slot.text.take()?;
        seen.status.is_complete().then(|| {
            let before = std::mem::take(&mut slot.before);
            Arc::new(before.after(&text, &self.asks[index], seen))
        })
    }

    fn is_drained(&self, exchange: &Exchange) -> bool {
        let Some(limit_s) = exchange.limits.drain_timeout_s else {
            return false;
        };
        let over = |from_s: f64| exchange.clock.now() - from_s > limit_s;
        self.measured_unsent == 0 && self.drains_from_s.is_some_and(over)
    }

    /// Sends nothing more and cancels what is in flight.
    fn end(&mut self, exchange: &Exchange) {
        if self.is_ending {
            return;
        }
        self.is_ending = true;
        exchange.cancel.notify_waiters();
        let due = std::mem::take(&mut self.due).into_sorted_vec();
        let queued = std::mem::take(&mut self.queue);
        let due = due.into_iter().rev().map(|Reverse((_, index))| index);
        for index in queued.into_iter().chain(due) {
            self.not_sent(exchange, index, RequestStatus::NotSentLate, None);
        }
    }
}

fn nanoseconds(s: f64) -> u64 {
    // saturates, as casts of floats do
    (s * 1e9).round() as u64
}
