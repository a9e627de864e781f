use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sbt_schemas::RequestStatus;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;

use super::request::{Ended, Request, serve};
use super::shared::{Place, Places, Shared};
use super::slot::Slot;
use crate::answer::Expected;
use crate::body::Bodies;
use crate::clock::Clock;
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::guard::Guard;
use crate::pacer::Pacer;
use crate::{Ask, AtCap, ClientError, Connections, Observed, Warning};

/// Lateness of a send that is worth a word.
const LATE_S: f64 = 0.002;

/// Knows of every ask of a shard where it is, and releases the next.
pub(super) struct Driver<'a> {
    bodies: &'a Bodies,
    shared: &'a Shared,
    places: Places,
    connections: Connections,
    slots: Vec<Slot<'a>>,
    /// Asks whose account is open.
    open: usize,
    /// Asks whose time is known and not yet there, by nanoseconds from t0.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    /// Asks whose time has come, while as many are in flight as may be.
    queue: VecDeque<usize>,
    /// Connections; the last used is used first, so that the others may be closed.
    idle: Vec<Connection>,
    lags: Vec<f64>,
    /// Whether nothing more is sent.
    is_ending: bool,
}

/// Why the driver woke.
enum Woken {
    Ended(Box<Ended>),
    Place(Place),
    Due,
    Over,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        asks: &'a [Ask],
        mine: &[usize],
        bodies: &'a Bodies,
        shared: &'a Shared,
        connections: Connections,
        idle: Vec<Connection>,
    ) -> Self {
        let slots = Slot::all(asks, mine, bodies);
        let roots = slots.iter().enumerate();
        let roots = roots.filter(|(_, slot)| slot.ask.after.is_none());
        Self {
            due: roots
                .map(|(index, slot)| Reverse((nanoseconds(slot.intended_s), index)))
                .collect(),
            bodies,
            shared,
            places: shared.places(),
            connections,
            open: slots.len(),
            lags: Vec::with_capacity(slots.len()),
            slots,
            queue: VecDeque::new(),
            idle,
            is_ending: false,
        }
    }

    /// What was seen of each ask, in order, and how late each send was.
    pub(super) fn into_seen(self) -> (Vec<Observed>, Vec<f64>) {
        let lost = || {
            let said = Some("no account of it".to_owned());
            Observed::unsent(0.0, RequestStatus::ClientFault, said)
        };
        let seen = self.slots.into_iter();
        let seen = seen.map(|slot| slot.seen.unwrap_or_else(lost)).collect();
        (seen, self.lags)
    }

    /// Runs until every account is closed.
    pub(super) async fn drive(
        &mut self,
        exchange: Arc<Exchange>,
        mut pacer: Pacer,
    ) -> Result<(), ClientError> {
        let clock = exchange.clock;
        let (sender, mut ended) = mpsc::unbounded_channel();
        let mut over = self.shared.over();
        while self.open > 0 {
            self.release(&exchange, &sender);
            if *over.borrow_and_update() {
                self.end(&exchange);
            }
            if self.open == 0 {
                break;
            }
            match self
                .wake(&mut ended, &mut pacer, &mut over, clock.t0)
                .await?
            {
                Woken::Ended(first) => self.take(clock, *first, &mut ended),
                Woken::Place(place) => {
                    if let Some(index) = self.queue.pop_front() {
                        self.send(&exchange, &sender, index, place);
                    }
                }
                Woken::Due | Woken::Over => {}
            }
        }
        Ok(())
    }

    async fn wake(
        &self,
        ended: &mut UnboundedReceiver<Ended>,
        pacer: &mut Pacer,
        over: &mut watch::Receiver<bool>,
        t0: Instant,
    ) -> Result<Woken, ClientError> {
        let next = self.due.peek();
        let next = next.map(|Reverse((ns, _))| t0 + Duration::from_nanos(*ns));
        Ok(tokio::select! {
            biased;
            Some(one) = ended.recv() => Woken::Ended(Box::new(one)),
            place = self.places.take(), if !self.queue.is_empty() => Woken::Place(place),
            woken = pacer.wait(next) => woken.map(|()| Woken::Due)?,
            Ok(()) = over.changed(), if !self.is_ending => Woken::Over,
        })
    }

    /// Sends what is due.
    fn release(&mut self, exchange: &Arc<Exchange>, sender: &UnboundedSender<Ended>) {
        while let Some(&Reverse((ns, index))) = self.due.peek() {
            let now_s = exchange.clock.now();
            if nanoseconds(now_s) < ns {
                break;
            }
            self.due.pop();
            self.lags
                .push((now_s - self.slots[index].intended_s).max(0.0));
            self.queue.push_back(index);
        }
        while let Some(&index) = self.queue.front()
            && let Some(place) = self.places.try_take()
        {
            self.queue.pop_front();
            self.send(exchange, sender, index, place);
        }
        if exchange.limits.at_cap == AtCap::Shed {
            for index in std::mem::take(&mut self.queue) {
                self.not_sent(exchange.clock, index, RequestStatus::NotSentCap, None);
            }
        }
    }

    fn send(
        &mut self,
        exchange: &Arc<Exchange>,
        sender: &UnboundedSender<Ended>,
        index: usize,
        place: Place,
    ) {
        let slot = &mut self.slots[index];
        let now_s = exchange.clock.now();
        // a session's own connection is used by its next turn alone
        let own = self.connections == Connections::StickySession;
        let idle = match slot.connection.take() {
            None if own && slot.ask.after.is_some() => None,
            None => self.idle.pop(),
            left => left,
        };
        let request = Request {
            slot: index,
            intended_s: slot.intended_s,
            dispatched_s: now_s,
            in_flight: self.shared.sent(slot.ask, now_s),
            body: slot.body.take().unwrap_or_default(),
            expected: Expected {
                output_tokens: slot.ask.output_tokens.into(),
                usage: self.bodies.features.include_usage,
                ignore_eos: self.bodies.features.ignore_eos,
                keep_text: slot.ask.keep_text || slot.is_carried_on,
            },
            idle,
            guard: Guard::new(&exchange.cancel),
            place,
        };
        let (exchange, sender) = (Arc::clone(exchange), sender.clone());
        tokio::spawn(async move {
            // the driver outlives its requests
            let _ = sender.send(serve(exchange, request).await);
        });
    }

    /// Takes all that has ended.
    fn take(&mut self, clock: Clock, first: Ended, ended: &mut UnboundedReceiver<Ended>) {
        let mut next = Some(first);
        while let Some(Ended {
            slot,
            mut seen,
            idle,
            place,
        }) = next
        {
            self.shared.ended();
            drop(place);
            if seen
                .dispatched_s
                .is_some_and(|at| at - seen.intended_s > LATE_S)
            {
                seen.warn(Warning::LateSend);
            }
            for (follower, status, error) in self.settle(slot, seen, idle) {
                self.not_sent(clock, follower, status, error);
            }
            next = ended.try_recv().ok();
        }
    }

    /// Closes the account of an ask that is not sent, and of those that fall with it.
    fn not_sent(
        &mut self,
        clock: Clock,
        index: usize,
        status: RequestStatus,
        error: Option<String>,
    ) {
        // a list and no recursion: a chain may be as long as the schedule
        let mut unsent = vec![(index, status, error)];
        while let Some((index, status, error)) = unsent.pop() {
            self.shared.not_sent(self.slots[index].ask);
            let mut seen = Observed::unsent(self.slots[index].intended_s, status, error);
            seen.end_s = Some(clock.now());
            unsent.extend(self.settle(index, seen, None));
        }
    }

    /// Closes the account of an ask and lets its followers go; gives those that are not to be sent.
    fn settle(
        &mut self,
        index: usize,
        mut seen: Observed,
        idle: Option<Connection>,
    ) -> Vec<(usize, RequestStatus, Option<String>)> {
        let slot = &mut self.slots[index];
        self.open -= 1;
        self.shared.settled(slot.ask, seen.status.is_complete());
        let end_s = seen.end_s.unwrap_or(seen.intended_s);
        let asked_s = seen.retry_after_s.filter(|_| seen.status.is_refusal());
        let conversation = slot.conversation(&seen);
        if !slot.ask.keep_text {
            seen.text = String::new();
        }
        let followers = std::mem::take(&mut slot.followers);
        let status = seen.status;
        slot.seen = Some(seen);
        self.hand_on(idle, &followers);
        let mut unsent = Vec::new();
        for follower in followers {
            let slot = &mut self.slots[follower];
            slot.intended_s = end_s + slot.ask.start_s.max(asked_s.unwrap_or(0.0));
            if self.is_ending {
                unsent.push((follower, RequestStatus::NotSentLate, None));
                continue;
            }
            if slot.ask.continues {
                let Some(conversation) = &conversation else {
                    let said = format!("the turn before it ended with `{status}`");
                    unsent.push((follower, RequestStatus::NotSentLate, Some(said)));
                    continue;
                };
                slot.carry_on(conversation, self.bodies);
            }
            let ns = nanoseconds(slot.intended_s);
            self.due.push(Reverse((ns, follower)));
        }
        unsent
    }

    /// Leaves a connection to what comes next.
    fn hand_on(&mut self, idle: Option<Connection>, followers: &[usize]) {
        match (self.connections, followers.first()) {
            (Connections::StickySession, Some(&next)) => self.slots[next].connection = idle,
            (Connections::StickySession, None) | (Connections::Fresh, _) => {}
            (Connections::Reuse, _) => self.idle.extend(idle),
        }
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
            self.not_sent(exchange.clock, index, RequestStatus::NotSentLate, None);
        }
    }
}

fn nanoseconds(s: f64) -> u64 {
    // saturates, as casts of floats do
    (s * 1e9).round() as u64
}
