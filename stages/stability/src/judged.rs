use sbt_engine::StageError;
use sbt_schemas::{CandidateRow, TrialRow};
use sbt_statistics::Resamples;
use sbt_trials::{Goals, Judge, Quality, Trial, aggregate};

use crate::domination::{ByDraw, surely_dominated};
use crate::finalists::Finalist;

/// Resamples of the draws behind a probability: its standard error is at most 2 %.
const RESAMPLES: usize = 500;

/// The finalists by their second measurement, judged against the baseline's.
pub(crate) struct Judged<'a> {
    pub(crate) finalists: &'a [Finalist],
    pub(crate) trials: &'a [Vec<Trial>],
    pub(crate) quality: &'a Quality<'a>,
    pub(crate) goals: &'a Goals,
}

impl Judged<'_> {
    /// One row for each finalist, in their order. On the front is what no other one dominates for
    /// sure; the first `top` are recommended.
    pub(crate) fn rows(&self, top: u64) -> Result<Vec<CandidateRow>, StageError> {
        let all: Vec<usize> = (0..self.draws()).collect();
        let (judge, mut rows) = self.over(&all)?;
        let dominated = surely_dominated(&rows, &self.by_draw(&judge));
        for (row, dominated) in rows.iter_mut().zip(dominated) {
            row.on_front = row.feasible && judge.score(row).is_some() && !dominated;
            let share = row.hypervolume_share.unwrap_or(0.0);
            row.hypervolume_share = row.on_front.then_some(share);
        }
        self.fill_probabilities(&mut rows)?;
        judge.recommend(&mut rows, top as usize);
        Ok(rows)
    }

    fn draws(&self) -> usize {
        self.trials.first().map_or(0, Vec::len)
    }

    /// Judges the means over some draws, of which one may stand more than once.
    fn over(&self, draws: &[usize]) -> Result<(Judge, Vec<CandidateRow>), StageError> {
        let mut rows = Vec::with_capacity(self.finalists.len());
        for (i, (finalist, trials)) in self.finalists.iter().zip(self.trials).enumerate() {
            let of_draws = draws.iter().filter_map(|draw| trials.get(*draw));
            let of_draws: Vec<&TrialRow> = of_draws.map(|trial| &trial.row).collect();
            let mut row = aggregate(&finalist.sampler, i as u64, &of_draws);
            self.quality.fill(&mut row, &finalist.config);
            rows.push(row);
        }
        let judge = Judge::new(self.goals, rows.first()).map_err(StageError::user)?;
        for (row, finalist) in rows.iter_mut().zip(self.finalists) {
            judge.assess(row);
            self.quality.gate(row, &finalist.config);
        }
        judge.rank(&mut rows);
        Ok((judge, rows))
    }

    /// Where each finalist lies in each draw, per objective, lower being better; none where a draw
    /// has no value.
    fn by_draw(&self, judge: &Judge) -> Vec<ByDraw> {
        let place = |(i, finalist): (usize, &Finalist)| {
            let trials = self.trials[i].iter().map(|trial| {
                let mut row = aggregate(&finalist.sampler, i as u64, &[&trial.row]);
                self.quality.fill(&mut row, &finalist.config);
                judge.coordinates(&row).or_else(|| judge.score(&row))
            });
            trials.collect()
        };
        self.finalists.iter().enumerate().map(place).collect()
    }

    fn fill_probabilities(&self, rows: &mut [CandidateRow]) -> Result<(), StageError> {
        if self.draws() < 2 {
            return Ok(());
        }
        let mut counts = vec![(0_u32, 0_u32); rows.len()];
        let mut judged = 0_u32;
        for draws in Resamples::new(self.draws(), RESAMPLES) {
            // A baseline that has no value for a goal in these draws judges nobody.
            let Ok((_, resampled)) = self.over(&draws) else {
                continue;
            };
            judged += 1;
            for (count, row) in counts.iter_mut().zip(&resampled) {
                count.0 += u32::from(row.feasible);
                count.1 += u32::from(row.on_front);
            }
        }
        for (row, (feasible, on_front)) in rows.iter_mut().zip(counts) {
            let share = |count: u32| (judged > 0).then(|| f64::from(count) / f64::from(judged));
            (row.p_feasible, row.p_on_front) = (share(feasible), share(on_front));
        }
        Ok(())
    }
}
