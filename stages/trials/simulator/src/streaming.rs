use crate::batch::{Batch, Entry, Share};
use crate::engine::Door;
use crate::scheduler::{Pace, Scheduler};
use crate::state::Sequence;
use crate::streams::Stream;

/// Streams that took their block of a step, and those that had a full block remembered.
#[derive(Clone, Copy, Default)]
struct Progress {
    took: usize,
    remembered: usize,
}

/// [`crate::scheduler::Pace::Streams`]: the same schedule, without a look at requests that decode.
impl Scheduler {
    /// A step that has tokens and blocks for all that run leaves the streams alone. Any other
    /// looks at every request.
    pub(crate) fn schedule_streams(
        &mut self,
        now: f64,
        batch: &mut Batch,
        executing: Option<&mut Batch>,
    ) {
        self.streams.end_before(self.scheduled);
        if let Some(mut budget) = self.budget_beside_streams() {
            self.schedule_apart(&mut budget, batch);
            self.schedule_waiting(now, false, &mut budget, batch);
        } else {
            self.settle(executing);
            self.schedule_decodes_first(now, batch);
            self.apart.clone_from(&self.running);
        }
    }

    /// Token budget less that of the streams, if all that run get what they get in a step that
    /// looks at each in turn.
    fn budget_beside_streams(&self) -> Option<u32> {
        let beside = self.limits.token_budget.checked_sub(self.streams.count())?;
        let mut budget = beside;
        let mut blocks = self.streams.beginning_a_block(self.scheduled).len() as u32;
        for &request in &self.apart {
            let sequence = &self.sequences[request as usize];
            let wanted = self.new_tokens(sequence, sequence.computed);
            let tokens = wanted.min(budget);
            if tokens < wanted && self.streams_behind(sequence.admission) {
                return None;
            }
            let end = sequence.computed + tokens;
            blocks += end.div_ceil(self.limits.block_size) - sequence.held;
            budget -= tokens;
        }
        (blocks <= self.pool.free()).then_some(beside)
    }

    /// Whether a request streams that was admitted after another.
    fn streams_behind(&self, admission: u32) -> bool {
        let behind = self
            .running
            .iter()
            .rev()
            .map(|r| &self.sequences[*r as usize]);
        let mut behind = behind.take_while(|s| s.admission > admission);
        behind.any(|sequence| sequence.streams_from.is_some())
    }

    /// Schedules the streams, and those that run apart from them.
    fn schedule_apart(&mut self, budget: &mut u32, batch: &mut Batch) {
        let mut progress = Progress::default();
        for at in 0..self.apart.len() {
            let request = self.apart[at];
            let sequence = self.sequences[request as usize];
            let tokens = self.new_tokens(&sequence, sequence.computed).min(*budget);
            if tokens == 0 {
                break;
            }
            self.move_blocks(&mut progress, sequence.admission);
            let grown = self.grow(request, tokens);
            debug_assert!(grown, "the blocks were counted");
            self.commit(request, tokens, batch);
            *budget -= tokens;
        }
        self.move_blocks(&mut progress, u32::MAX);
        let count = self.streams.count();
        if count > 0 {
            let (sum, longest) = self.streams.contexts(self.scheduled);
            batch.add_decodes(count, sum, longest);
        }
    }

    /// Schedules a step that gives each stream a token, and counts the oldest step as out; the sum
    /// of the contexts and the longest. None: something else may happen in these steps.
    pub(crate) fn stream_on(&mut self) -> Option<(f64, f64)> {
        let step = self.scheduled;
        let begin = self.streams.beginning_a_block(step).len() as u32;
        let alone = self.apart.is_empty() && self.streams.all_go_on(step);
        if !alone || self.may_admit() || begin > self.pool.free() {
            return None;
        }
        self.move_blocks(&mut Progress::default(), u32::MAX);
        self.least_free = self.least_free.min(self.pool.free());
        self.delivered += 1;
        self.scheduled += 1;
        Some(self.streams.contexts(step))
    }

    /// Whether a step of the streams has tokens and a place for a request that waits. One that was
    /// refused stays out, unless blocks that the step moves come to be found by it.
    fn may_admit(&self) -> bool {
        (!self.refused || self.keys.any_is_shared())
            && !self.waiting.is_empty()
            && self.running.len() < self.limits.max_num_seqs
            && self.streams.count() < self.limits.token_budget
    }

    /// Takes and remembers blocks of the streams that were admitted before a request.
    fn move_blocks(&mut self, progress: &mut Progress, before: u32) {
        let step = self.scheduled;
        if self.pool.is_counted() {
            let begin = self.streams.beginning_a_block(step).len();
            self.pool.take_any((begin - progress.took) as u32);
            progress.took = begin;
            return;
        }
        while let Some(stream) = self.stream_at(step, progress.took, before) {
            self.take_blocks(stream.request, 1);
            progress.took += 1;
        }
        // A token is known when the step that computes it is out: one or no step later.
        let lag = u32::from(self.config.async_scheduling);
        while let Some(stream) = self.stream_at(step + 1 - lag, progress.remembered, before) {
            let known = stream.offset + i64::from(step - lag);
            self.remember_blocks(stream.request, known as u32);
            progress.remembered += 1;
        }
    }

    fn stream_at(&self, step: u32, index: usize, before: u32) -> Option<Stream> {
        let stream = self.streams.beginning_a_block(step).get(index)?;
        (stream.admission < before).then_some(*stream)
    }

    /// Those that got a token and will get another in the next step begin to stream.
    pub(crate) fn start_streams(&mut self, batch: &Batch) {
        if self.pace == Pace::EachToken {
            return;
        }
        for entry in batch.entries.iter().filter(|entry| entry.samples) {
            let sequence = &mut self.sequences[entry.request as usize];
            if !sequence.last_in_flight() {
                sequence.streams_from = Some(self.scheduled);
                let end = self.scheduled + sequence.unscheduled() - 1;
                self.streams.join(stream(entry.request, sequence), end);
            }
        }
        let sequences = &self.sequences;
        self.apart.retain(|request| {
            let sequence = &sequences[*request as usize];
            sequence.streams_from.is_none() && !sequence.last_in_flight()
        });
    }

    /// The next stream whose last token came out in a step, of those admitted before a request.
    pub(crate) fn finish_stream(&mut self, step: u32, before: u32) -> Option<u32> {
        let ended = self.streams.ended(step);
        let Stream { request, .. } = ended.filter(|stream| stream.admission < before)?;
        self.abort(request);
        Some(request)
    }

    /// Takes a request out of the streams, if it is there.
    pub(crate) fn end_stream(&mut self, request: u32) {
        let sequence = self.sequences[request as usize];
        if sequence.streams_from.is_some() {
            self.streams.remove(&stream(request, &sequence));
            self.count_stream(request);
        }
    }

    /// Looks at each request from now on: nothing streams, and the step that executes names all
    /// whom it gives a token.
    fn settle(&mut self, executing: Option<&mut Batch>) {
        if let Some(batch) = executing {
            let step = self.scheduled - 1;
            let streams = self
                .running
                .iter()
                .filter_map(|r| self.entry_of_stream(*r, step));
            batch.entries.extend(streams);
            batch.entries.sort_by_key(|entry| entry.admission);
        }
        for at in 0..self.running.len() {
            self.count_stream(self.running[at]);
        }
        self.streams.clear();
    }

    fn entry_of_stream(&self, request: u32, step: u32) -> Option<Entry> {
        let sequence = &self.sequences[request as usize];
        let from = sequence.streams_from?;
        (from..from + sequence.unscheduled())
            .contains(&step)
            .then_some(Entry {
                drafts: 0,
                share: Share::default(),
                request,
                admission: sequence.admission,
                attempt: sequence.attempt,
                epoch: sequence.epoch,
                samples: true,
            })
    }

    /// Brings the counts of a request up to what its stream gave it.
    fn count_stream(&mut self, request: u32) {
        let sequence = &mut self.sequences[request as usize];
        let Some(from) = sequence.streams_from.take() else {
            return;
        };
        let end = from + sequence.unscheduled();
        let scheduled = self.scheduled.min(end) - from;
        let delivered = self.delivered.clamp(from, end) - from;
        sequence.computed += scheduled;
        sequence.generated += delivered;
        sequence.placeholders += scheduled - delivered;
        sequence.held = sequence.computed.div_ceil(self.limits.block_size);
        self.emitted[request as usize].extend(from..from + delivered);
    }
}

fn stream(request: u32, sequence: &Sequence) -> Stream {
    let from = i64::from(sequence.streams_from.unwrap_or(0));
    Stream {
        admission: sequence.admission,
        request,
        offset: i64::from(sequence.computed) + 1 - from,
    }
}

#[cfg(test)]
mod tests;
