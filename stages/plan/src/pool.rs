use sbt_schemas::WorkloadRow;

use crate::replica::Arrivals;

/// Replicas that are simulated together at most: beyond, the gain hardly grows, and the time does.
pub(crate) const MOST_POOLED: u64 = 8;
/// Draws of a pool's workload.
pub(crate) const DRAWS: [u64; 3] = [0, 1, 2];

/// A workload that keeps several replicas busy for as long as one draw keeps one: each of its
/// draws is `replicas` of the given ones, one after the other, so that arrivals stay as bursty as
/// they are. A draw comes again when there are fewer.
pub(crate) fn pooled_workload(
    workload: &[WorkloadRow],
    draws: &[u64],
    replicas: u64,
) -> Vec<WorkloadRow> {
    let mut pooled = Vec::new();
    let mut parts = draws.iter().cycle();
    for number in DRAWS {
        let mut end = End::default();
        for draw in parts.by_ref().take(replicas as usize) {
            let part = workload.iter().filter(|row| row.draw == *draw);
            let start = end;
            for row in part {
                let moved = start.moved(row, number);
                end.reach(&moved);
                pooled.push(moved);
            }
            end.s += Arrivals::of(workload, *draw).gap_s();
            end.parts += 1;
        }
    }
    pooled
}

/// Where the parts so far end.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    s: f64,
    requests: u64,
    sessions: u64,
    parts: u64,
}

impl End {
    /// Equal blocks of different draws are not the same text.
    fn moved(&self, row: &WorkloadRow, draw: u64) -> WorkloadRow {
        WorkloadRow {
            draw,
            request_id: row.request_id + self.requests,
            session: row.session + self.sessions,
            arrival_s: row.arrival_s.map(|s| s + self.s),
            prefix_block_ids: row
                .prefix_block_ids
                .iter()
                .map(|id| id.wrapping_add(self.parts << 48))
                .collect(),
            ..row.clone()
        }
    }

    fn reach(&mut self, row: &WorkloadRow) {
        self.s = self.s.max(row.arrival_s.unwrap_or(0.0));
        self.requests = self.requests.max(row.request_id + 1);
        self.sessions = self.sessions.max(row.session + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn row(draw: u64, id: u64, arrival_s: f64) -> WorkloadRow {
        WorkloadRow {
            draw,
            request_id: id,
            session: id,
            turn: 0,
            arrival_s: Some(arrival_s),
            think_s: None,
            continues: false,
            prompt_tokens: 10,
            output_tokens: 10,
            prefix_block_ids: Vec::new(),
            prefix_block_tokens: 16,
            category: "chat".to_owned(),
            prompt: None,
        }
    }

    #[test]
    fn parts_follow_one_another_and_no_request_is_mistaken_for_another() {
        let workload: Vec<WorkloadRow> = (0..2)
            .flat_map(|draw| (0..10).map(move |i| row(draw, i, i as f64)))
            .collect();
        let pooled = pooled_workload(&workload, &[0, 1], 3);
        for draw in DRAWS {
            let of_draw: Vec<&WorkloadRow> = pooled.iter().filter(|r| r.draw == draw).collect();
            assert_eq!(of_draw.len(), 30);
            let ids: BTreeSet<u64> = of_draw.iter().map(|r| r.request_id).collect();
            assert_eq!(ids.len(), 30);
            let arrivals: Vec<f64> = of_draw.iter().filter_map(|r| r.arrival_s).collect();
            assert!(arrivals.is_sorted());
            let (whole, one) = (Arrivals::of(&pooled, draw), Arrivals::of(&workload, 0));
            let ratio = whole.rps().unwrap() / one.rps().unwrap();
            assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
        }
    }
}
