use std::collections::BTreeMap;

use sbt_engine::{StageContext, StageError};

use super::fit::{Overheads, fit};
use super::point::Point;
use super::scene::{Simulated, simulate};

/// A point that can be simulated, and what became of it.
pub(crate) struct Candidate {
    /// Place among the lines.
    pub(crate) line: usize,
    pub(crate) point: Point,
    /// Before and after the fit.
    pub(crate) analytic: Simulated,
    pub(crate) fitted: Simulated,
    pub(crate) held_out: bool,
}

/// Points of one model on one GPU under one server.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) overheads: Overheads,
    pub(crate) candidates: Vec<Candidate>,
}

impl Group {
    pub(crate) fn held_out(&self) -> Vec<&Candidate> {
        self.candidates.iter().filter(|c| c.held_out).collect()
    }

    pub(crate) fn fitted(&self) -> usize {
        self.candidates.len() - self.held_out().len()
    }

    /// Chooses every n-th point by load and shape, so that the choice spans all of them.
    pub(crate) fn choose(&mut self, share: f64) {
        self.candidates.sort_by_key(|candidate| {
            let point = &candidate.point;
            let shape = (
                point.tensor_parallel,
                point.data_parallel,
                point.concurrency,
            );
            (
                shape,
                point.input_tokens,
                point.output_tokens,
                candidate.line,
            )
        });
        for (place, candidate) in self.candidates.iter_mut().enumerate() {
            let chosen = |n: usize| (n as f64 * share).floor();
            candidate.held_out = chosen(place + 1) <= chosen(place);
        }
    }
}

/// Fits the groups of each server together, then each group drawn towards that.
pub(crate) fn fit_all(ctx: &StageContext, groups: &mut [Group]) -> Result<(), StageError> {
    let mut servers: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        let server = group.candidates[0].point.server.name();
        servers.entry(server).or_default().push(place);
    }
    let total = groups.len() as u64;
    let mut done = 0;
    for places in servers.values() {
        let all = places.iter().flat_map(|place| fit_points(&groups[*place]));
        let all: Vec<&Point> = all.collect();
        let centre = fit(Overheads::default(), |at| errors(ctx, &all, at))?;
        for place in places {
            let group = &mut groups[*place];
            let of_group = fit_points(group);
            group.overheads = fit(centre, |at| errors(ctx, &of_group, at))?;
            let points: Vec<&Point> = group.candidates.iter().map(|c| &c.point).collect();
            let fitted = simulate_all(ctx, &points, group.overheads)?;
            for (candidate, simulated) in group.candidates.iter_mut().zip(fitted) {
                candidate.fitted = simulated.map_err(StageError::user)?;
            }
            done += 1;
            ctx.progress(done, total, "groups fitted");
        }
    }
    Ok(())
}

fn fit_points(group: &Group) -> Vec<&Point> {
    let chosen = group.candidates.iter().filter(|c| !c.held_out);
    chosen.map(|candidate| &candidate.point).collect()
}

fn errors(
    ctx: &StageContext,
    points: &[&Point],
    overheads: Overheads,
) -> Result<Vec<f64>, StageError> {
    let simulated = simulate_all(ctx, points, overheads)?;
    let errors = points.iter().zip(simulated).map(|(point, simulated)| {
        let simulated = simulated.map_err(StageError::user)?;
        Ok((simulated.tpot_s / point.tpot_s).ln())
    });
    errors.collect()
}

/// Simulates points on the threads that the stage may use.
pub(crate) fn simulate_all(
    ctx: &StageContext,
    points: &[&Point],
    overheads: Overheads,
) -> Result<Vec<Result<Simulated, String>>, StageError> {
    if ctx.cancel.is_cancelled() {
        return Err(StageError::Cancelled);
    }
    let source = overheads.source();
    let jobs = ctx.jobs.max(1);
    let mut simulated: Vec<(usize, Result<Simulated, String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs)
            .map(|job| {
                let source = &source;
                // Neighbours are alike: each thread takes every n-th.
                let mine = points.iter().enumerate().skip(job).step_by(jobs);
                scope.spawn(move || {
                    mine.map(|(i, p)| (i, simulate(p, source)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let results = threads.into_iter();
        results
            .flat_map(|thread| thread.join().expect("a simulation does not panic"))
            .collect()
    });
    simulated.sort_by_key(|(place, _)| *place);
    Ok(simulated.into_iter().map(|(_, result)| result).collect())
}
