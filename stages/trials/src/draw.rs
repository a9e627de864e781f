use std::collections::BTreeMap;

use sbt_engine::Digest;
use sbt_schemas::WorkloadRow;

/// One draw of a workload, in the order of its requests.
#[derive(Clone)]
pub(crate) struct Draw {
    pub(crate) rows: Vec<WorkloadRow>,
    /// Of the content of its rows.
    pub(crate) digest: Digest,
    /// For each row, the row of its session's turn before.
    pub(crate) before: Vec<Option<usize>>,
    /// When the schedule ends, at the rate as drawn: the last arrival that waits for no answer.
    pub(crate) last_arrival_s: f64,
}

impl Draw {
    /// The draws of a workload by number.
    pub(crate) fn all(workload: &[WorkloadRow]) -> BTreeMap<u64, Self> {
        let mut draws: BTreeMap<u64, Vec<WorkloadRow>> = BTreeMap::new();
        for row in workload {
            draws.entry(row.draw).or_default().push(row.clone());
        }
        let draws = draws.into_iter();
        draws
            .map(|(number, rows)| (number, Self::of(rows)))
            .collect()
    }

    /// When a row is to be sent: from the start, at a factor on the arrival rate; of a later turn
    /// from the end of the turn before.
    pub(crate) fn start_s(&self, index: usize, rate_scale: f64) -> f64 {
        let row = &self.rows[index];
        match self.before[index] {
            Some(_) => row.think_s.unwrap_or(0.0),
            None => row.arrival_s.unwrap_or(0.0) / rate_scale,
        }
    }

    /// Sessions: the most requests in flight that a closed loop has, and more than an open one.
    pub(crate) fn sessions(&self) -> u64 {
        self.before.iter().filter(|before| before.is_none()).count() as u64
    }

    /// The first requests by when they would be sent to a server that answers at once: the load is
    /// that of the whole, and whatever a turn follows comes before it. The whole where it has no
    /// more.
    pub(crate) fn first(&self, requests: u64) -> Self {
        let mut due_s: Vec<f64> = Vec::with_capacity(self.rows.len());
        for index in 0..self.rows.len() {
            let before = self.before[index].and_then(|before| due_s.get(before));
            due_s.push(before.copied().unwrap_or(0.0) + self.start_s(index, 1.0));
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|&a, &b| {
            let turns = self.rows[a].turn.cmp(&self.rows[b].turn);
            due_s[a].total_cmp(&due_s[b]).then(turns).then(a.cmp(&b))
        });
        let first = order.into_iter().zip(0..requests);
        Self::of(first.map(|(index, _)| self.rows[index].clone()).collect())
    }

    fn of(mut rows: Vec<WorkloadRow>) -> Self {
        rows.sort_by_key(|row| row.request_id);
        let turns = rows.iter().enumerate();
        let turns: BTreeMap<(u64, u64), usize> = turns
            .map(|(index, row)| ((row.session, row.turn), index))
            .collect();
        let before = rows.iter().map(|row| {
            let turn = row.turn.checked_sub(1)?;
            turns.get(&(row.session, turn)).copied()
        });
        let arrivals = rows.iter().filter_map(|row| row.arrival_s);
        Self {
            digest: digest(&rows),
            before: before.collect(),
            last_arrival_s: arrivals.fold(0.0, f64::max),
            rows,
        }
    }
}

/// A count of tokens as requests take it; longer prompts than it can count fit no server.
pub(crate) fn tokens(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn digest(rows: &[WorkloadRow]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for row in rows {
        serde_json::to_writer(&mut hasher, row).expect("a row is JSON, and a hash takes all");
        hasher.update(b"\n");
    }
    Digest::finish(&hasher)
}
