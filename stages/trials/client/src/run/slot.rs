use std::sync::Arc;

use bytes::Bytes;

use crate::body::{Bodies, Conversation};
use crate::connection::Connection;
use crate::vocabulary::Said;
use crate::{Ask, Observed};

/// One ask on its way.
pub(super) struct Slot<'a> {
    pub(super) ask: &'a Ask,
    /// What is to be sent: made before t0 where nothing goes before it.
    pub(super) body: Option<Bytes>,
    /// What it says itself, kept for asks that carry it on.
    said: Option<Said>,
    /// What was said before it.
    before: Arc<Conversation>,
    /// Asks that follow it, by their places in the shard.
    pub(super) followers: Vec<usize>,
    /// Whether one of them carries it on.
    pub(super) is_carried_on: bool,
    /// Connection that the ask before it left to it.
    pub(super) connection: Option<Connection>,
    /// When the schedule wants it sent, once that is known.
    pub(super) intended_s: f64,
    pub(super) seen: Option<Observed>,
}

impl<'a> Slot<'a> {
    /// The asks of a shard, each with those that follow it, bodies made where nothing goes before.
    pub(super) fn all(asks: &'a [Ask], mine: &[usize], bodies: &Bodies) -> Vec<Self> {
        let mut slots: Vec<Self> = mine.iter().map(|&ask| Self::new(&asks[ask])).collect();
        for index in 0..slots.len() {
            let ask = slots[index].ask;
            // chains are whole, so it is there
            let before = ask
                .after
                .and_then(|before| mine.binary_search(&before).ok());
            if let Some(before) = before {
                slots[before].followers.push(index);
                slots[before].is_carried_on |= ask.continues;
            }
        }
        for slot in slots.iter_mut().filter(|slot| !slot.ask.continues) {
            slot.prepare(bodies);
        }
        slots
    }

    fn new(ask: &'a Ask) -> Self {
        Self {
            ask,
            body: None,
            said: None,
            before: Arc::default(),
            followers: Vec::new(),
            is_carried_on: false,
            connection: None,
            intended_s: ask.start_s,
            seen: None,
        }
    }

    /// Makes text and body, as the conversation is known.
    fn prepare(&mut self, bodies: &Bodies) {
        let said = bodies.say(self.ask, &self.before);
        self.body = Some(bodies.body(&said, &self.before, self.ask.output_tokens));
        self.said = self.is_carried_on.then_some(said);
    }

    /// Carries a conversation on.
    pub(super) fn carry_on(&mut self, conversation: &Arc<Conversation>, bodies: &Bodies) {
        self.before = Arc::clone(conversation);
        self.prepare(bodies);
    }

    /// What was said up to its end; none when it failed or nobody carries it on.
    pub(super) fn conversation(&mut self, seen: &Observed) -> Option<Arc<Conversation>> {
        let said = self.said.take()?;
        seen.status.is_complete().then(|| {
            let before = std::mem::take(&mut self.before);
            Arc::new(before.after(said.text(), self.ask, seen))
        })
    }
}
