use crate::SchedulingPolicy;
use crate::scheduler::Scheduler;

/// Who is next, and who has to go.
impl Scheduler {
    /// Queues a request that comes.
    pub(crate) fn enqueue(&mut self, request: u32) {
        match self.config.scheduling_policy {
            SchedulingPolicy::Fcfs => self.waiting.push_back(request),
            SchedulingPolicy::Priority => {
                let rank = self.rank(request);
                let before = |other: &u32| self.rank(*other) < rank;
                let place = self.waiting.partition_point(before);
                self.waiting.insert(place, request);
            }
        }
    }

    /// Queues a request that was preempted.
    pub(crate) fn requeue(&mut self, request: u32) {
        match self.config.scheduling_policy {
            SchedulingPolicy::Fcfs => self.waiting.push_front(request),
            SchedulingPolicy::Priority => self.enqueue(request),
        }
    }

    /// Place among the running requests of the one that is preempted next.
    pub(crate) fn next_victim(&self) -> usize {
        let last = self.running.len() - 1;
        match self.config.scheduling_policy {
            SchedulingPolicy::Fcfs => last,
            SchedulingPolicy::Priority => (0..=last)
                .max_by_key(|place| self.rank(self.running[*place]))
                .unwrap_or(last),
        }
    }

    /// The lowest goes first: priority, arrival, number. Times are not negative, so that their bits
    /// are in their order.
    fn rank(&self, request: u32) -> (i32, u64, u32) {
        let sequence = &self.sequences[request as usize];
        let arrival = sequence.received_s.to_bits();
        (sequence.priority, arrival, request)
    }
}
