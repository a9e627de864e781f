use crate::VllmVersion;
use crate::scheduler::Scheduler;

/// How old the engines' counts may be, s.
const REFRESH_S: f64 = 0.1;

/// vLLM's own choice of the engine for a request (`DPLBAsyncMPClient` of `core_client.py`): the
/// one with the least load, by counts that the engines publish every 100 ms and by what the
/// client itself has in flight; up to 0.19 by what it has sent since then.
pub(crate) struct Balancer {
    version: VllmVersion,
    counts: Vec<Counts>,
    refreshed_s: f64,
    /// Engine that ties begin with.
    first: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Sent there and not ended; known at once.
    in_flight: usize,
    waiting: usize,
    running: usize,
    kv_usage: f64,
}

impl Counts {
    fn score(&self, version: VllmVersion) -> f64 {
        match version {
            VllmVersion::V0_33 => {
                let load = self.in_flight.max(self.waiting + self.running) as f64;
                load + 6.0 * self.waiting as f64 * (self.kv_usage - 0.5).max(0.0)
            }
            VllmVersion::V0_19 => (4 * self.waiting + self.running) as f64,
        }
    }
}

impl Balancer {
    pub(crate) fn new(engines: usize, version: VllmVersion) -> Self {
        Self {
            version,
            counts: vec![Counts::default(); engines],
            refreshed_s: 0.0,
            first: 0,
        }
    }

    /// The engine for a request that comes now.
    pub(crate) fn choose(&mut self, now: f64, engines: &[Scheduler]) -> usize {
        if now - self.refreshed_s >= REFRESH_S {
            self.refreshed_s = now;
            for (counts, engine) in self.counts.iter_mut().zip(engines) {
                counts.waiting = engine.waiting.len();
                counts.running = engine.running.len();
                counts.kv_usage = engine.pool.usage();
            }
        }
        let engines = self.counts.len();
        let in_turn = (0..engines).map(|i| (self.first + i) % engines);
        let score = |engine: &usize| self.counts[*engine].score(self.version);
        let chosen = in_turn.min_by(|a, b| score(a).total_cmp(&score(b)));
        let chosen = chosen.expect("there is an engine");
        self.counts[chosen].in_flight += 1;
        match self.version {
            VllmVersion::V0_33 => self.first = (self.first + 1) % engines,
            VllmVersion::V0_19 => self.counts[chosen].waiting += 1,
        }
        chosen
    }

    /// A request of an engine has ended.
    pub(crate) fn left(&mut self, engine: usize) {
        self.counts[engine].in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_rotate_and_load_decides() {
        let mut balancer = Balancer::new(3, VllmVersion::V0_33);
        let chosen: Vec<usize> = (0..6).map(|_| balancer.choose(0.0, &[])).collect();
        assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
        balancer.left(1);
        assert_eq!(balancer.choose(0.0, &[]), 1);
    }

    /// `core_client.py` of 0.19: waiting * 4 + running, ties to the first engine; what is sent
    /// counts as waiting until the engines publish again.
    #[test]
    fn requests_of_0_19_that_wait_count_four_times() {
        let mut balancer = Balancer::new(2, VllmVersion::V0_19);
        balancer.counts[0].running = 6;
        let chosen: Vec<usize> = (0..4).map(|_| balancer.choose(0.0, &[])).collect();
        assert_eq!(chosen, [1, 1, 0, 1], "6 against 0, 4, 8; then 10 against 8");
        let waiting: Vec<usize> = balancer
            .counts
            .iter()
            .map(|counts| counts.waiting)
            .collect();
        assert_eq!(waiting, [1, 3]);
    }

    #[test]
    fn queue_before_a_full_cache_weighs_more_than_requests_that_run() {
        let counts = |waiting, running, kv_usage| Counts {
            in_flight: 0,
            waiting,
            running,
            kv_usage,
        };
        let score = |counts: Counts| counts.score(VllmVersion::V0_33);
        assert!(score(counts(4, 4, 1.0)) > score(counts(0, 15, 1.0)));
        assert!(score(counts(4, 4, 0.5)) < score(counts(0, 15, 0.5)));
    }
}
