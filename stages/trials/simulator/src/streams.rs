use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Requests that get a token in every step until their last one is scheduled, counted together: a
/// step looks only at those of them that need a KV block.
///
/// A stream's context after step s is its offset + s.
pub(crate) struct Streams {
    /// By step modulo the block size in which they begin a block, each in order of admission.
    slots: Vec<Vec<Stream>>,
    ends: BinaryHeap<Reverse<End>>,
    /// Those whose last token is scheduled and not out, in order.
    ending: VecDeque<End>,
    count: u32,
    offset_sum: i64,
    /// None: has to be found out.
    offset_max: Option<i64>,
}

/// One of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream {
    /// Admission of the request, in order.
    pub(crate) admission: u32,
    pub(crate) request: u32,
    pub(crate) offset: i64,
}

/// The step that schedules the last token of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) step: u32,
    pub(crate) stream: Stream,
}

impl Streams {
    pub(crate) fn new(block_size: u32) -> Self {
        Self {
            slots: vec![Vec::new(); block_size as usize],
            ends: BinaryHeap::new(),
            ending: VecDeque::new(),
            count: 0,
            offset_sum: 0,
            offset_max: None,
        }
    }

    /// Requests that stream.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Sum of their contexts after a step, and the longest.
    pub(crate) fn contexts(&mut self, step: u32) -> (f64, f64) {
        let (step, count) = (i64::from(step), i64::from(self.count));
        let slots = &self.slots;
        let offset_max = *self.offset_max.get_or_insert_with(|| {
            let offsets = slots.iter().flatten().map(|stream| stream.offset);
            offsets.max().unwrap_or(0)
        });
        let sum = self.offset_sum + step * count;
        (sum as f64, (offset_max + step) as f64)
    }

    /// Those that begin a KV block in a step, in order of admission.
    pub(crate) fn beginning_a_block(&self, step: u32) -> &[Stream] {
        &self.slots[step as usize % self.slots.len()]
    }

    /// Adds a stream that ends with the token that a step schedules.
    pub(crate) fn join(&mut self, stream: Stream, end: u32) {
        let slot = self.slot(&stream);
        let slot = &mut self.slots[slot];
        let at = slot.partition_point(|other| *other < stream);
        slot.insert(at, stream);
        self.ends.push(Reverse(End { step: end, stream }));
        self.offset_max = match self.offset_max {
            Some(offset) => Some(offset.max(stream.offset)),
            None if self.count == 0 => Some(stream.offset),
            None => None,
        };
        self.count += 1;
        self.offset_sum += stream.offset;
    }

    /// Lets go of those that end before a step.
    pub(crate) fn end_before(&mut self, step: u32) {
        while let Some(Reverse(end)) = self.ends.peek().copied()
            && end.step < step
        {
            self.ends.pop();
            if self.leave(&end.stream) {
                self.ending.push_back(end);
            }
        }
    }

    /// The next one whose last token comes out in a step.
    pub(crate) fn ended(&self, step: u32) -> Option<Stream> {
        let end = self.ending.front().filter(|end| end.step == step)?;
        Some(end.stream)
    }

    /// Whether all get a token in a step, and none has its last one before.
    pub(crate) fn all_go_on(&self, step: u32) -> bool {
        let next = self.ends.peek();
        self.ending.is_empty() && next.is_none_or(|Reverse(end)| end.step >= step)
    }

    /// Removes a stream before its end or at it.
    pub(crate) fn remove(&mut self, stream: &Stream) {
        if !self.leave(stream) {
            self.ending.retain(|end| end.stream != *stream);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.slots.iter_mut().for_each(Vec::clear);
        self.ends.clear();
        self.ending.clear();
        self.count = 0;
        self.offset_sum = 0;
        self.offset_max = None;
    }

    /// Counts a stream no more. False: it was not counted.
    fn leave(&mut self, stream: &Stream) -> bool {
        let slot = self.slot(stream);
        let Ok(at) = self.slots[slot].binary_search(stream) else {
            return false;
        };
        self.slots[slot].remove(at);
        self.count -= 1;
        self.offset_sum -= stream.offset;
        if self.offset_max == Some(stream.offset) {
            self.offset_max = None;
        }
        true
    }

    /// A context of one token more than full blocks begins a block.
    fn slot(&self, stream: &Stream) -> usize {
        (1 - stream.offset).rem_euclid(self.slots.len() as i64) as usize
    }
}
