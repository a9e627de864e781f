//! A search that asks the simulator first: it measures what promises the largest gain of
//! hypervolume under the simulator's predictions, corrected by what was measured so far.

mod acquisition;
mod predictor;
mod residual;

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sbt_engine::{Digest, StageError};
use sbt_schemas::{CandidateRow, Outcome};
use sbt_trials::{Config, Judge, front_numbers};
use serde_json::json;

use crate::feasibility::Feasibility;
use crate::genetic::Nsga2;
use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;
use crate::study::Proposer;
use crate::tpe::Tpe;
use acquisition::{Acquisition, Belief, Promise};
use predictor::{Prediction, number, to_log};
use residual::{Place, Residual, unknown};

pub(crate) use predictor::{Predictor, Simulated};

/// Share of random points, once the model had its say. Chosen: a model that is wrong is found out.
const RANDOM_SHARE: f64 = 0.1;
/// Trials before the first random point.
const MODEL_ALONE: usize = 5;
/// Trials from which on TPE asks for a share of the points: by then it knows as much.
const SIMULATOR_TRUSTED: usize = 12;
const TPE_SHARE: f64 = 0.3;
/// Size of a generation of the search in the simulator, which only fills the pool.
const GENERATION: usize = 100;
/// Candidates that the pool begins with.
const POOL: usize = 300;
/// Neighbours of the best that join the pool at each question.
const NEIGHBOURS: usize = 8;
/// Candidates that promised most, whose neighbours join.
const LEADERS: usize = 8;
/// Standard deviations, before anything is measured, of the logarithm of the factor by which the
/// simulator is off; of how that grows with the metric; and of each doubt, in units of itself.
const OFF: f64 = 0.4;
const GROWS: f64 = 0.2;
const DOUBTED: f64 = 0.7;
/// Probability that a configuration ends `ok` that does so in the simulator, and that does not.
const BELIEVED: f64 = 0.95;
const DOUBTFUL: f64 = 0.15;

/// A candidate that may be asked for.
struct Candidate {
    point: Point,
    prediction: Prediction,
}

/// The sampler `transfer`. A pure function of its seed and of what it was told.
pub(crate) struct Transfer<'a> {
    space: &'a Space,
    predictor: &'a Predictor<'a>,
    simulations: usize,
    seed: u64,
    pool: Vec<Candidate>,
    /// Cells of everything in the pool, and of everything told.
    pooled: BTreeSet<Vec<i64>>,
    told: BTreeSet<Vec<i64>>,
    tpe: Tpe,
    feasibility: Feasibility,
    /// By metric: where the simulator was how far off.
    observed: BTreeMap<String, Vec<(Place, f64)>>,
    /// Feasible points so far, and their coordinates.
    found: Vec<(Point, Vec<f64>)>,
    leaders: Vec<Point>,
    /// Share of the volume found that a candidate must promise.
    least_gain: Option<f64>,
    /// Whether none does.
    pub(crate) exhausted: bool,
}

impl<'a> Transfer<'a> {
    pub(crate) fn new(
        space: &'a Space,
        predictor: &'a Predictor<'a>,
        (simulations, least_gain): (usize, Option<f64>),
        seed: u64,
    ) -> Self {
        Self {
            space,
            predictor,
            simulations,
            seed,
            pool: Vec::new(),
            pooled: BTreeSet::new(),
            told: BTreeSet::new(),
            tpe: Tpe::new(space, seed),
            feasibility: Feasibility::default(),
            observed: BTreeMap::new(),
            found: Vec::new(),
            leaders: Vec::new(),
            least_gain,
            exhausted: false,
        }
    }

    /// Fills the pool: the best of a search in the simulator, and as many others that may turn out
    /// better than it says.
    fn fill(&mut self) -> Result<(), StageError> {
        let mut search = Nsga2::new(self.space, GENERATION, self.seed);
        let mut seen: Vec<(Point, Evaluation)> = Vec::new();
        let mut cells = BTreeSet::new();
        while seen.len() < self.simulations {
            let points = search.ask(GENERATION);
            let glances = self.predictor.glance(&self.configs(&points))?;
            let told = points.into_iter().zip(&glances);
            let told: Vec<(Point, Evaluation)> = told
                .map(|(point, glance)| (point, self.simulated_worth(glance)))
                .collect();
            search.tell(&told);
            let before = seen.len();
            let new = |(point, _): &(Point, Evaluation)| cells.insert(self.space.cell(point));
            seen.extend(told.into_iter().filter(new));
            if seen.len() == before {
                break;
            }
        }
        let points = best_and_others(seen, POOL);
        let predictions = self.predictions(&points)?;
        self.add(points, predictions);
        Ok(())
    }

    fn configs(&self, points: &[Point]) -> Vec<Config> {
        let configs = points.iter().map(|point| Config {
            name: "simulated".to_owned(),
            knobs: self.space.decode(point),
        });
        configs.collect()
    }

    fn predictions(&self, points: &[Point]) -> Result<Vec<Prediction>, StageError> {
        self.predictor.predict(&self.configs(points))
    }

    fn add(&mut self, points: Vec<Point>, predictions: Vec<Prediction>) {
        for (point, prediction) in points.into_iter().zip(predictions) {
            if self.pooled.insert(self.space.cell(&point)) {
                self.pool.push(Candidate { point, prediction });
            }
        }
    }

    fn simulated_worth(&self, prediction: &Prediction) -> Evaluation {
        let mut belief = self.belief(prediction, None);
        for (_, sd) in belief.logs.values_mut() {
            *sd = 0.0;
        }
        let appraisal = self.predictor.judge().appraise(&|name| belief.mean(name));
        let ok = prediction.outcome == Outcome::Ok && prediction.passes;
        Evaluation {
            objectives: appraisal.coordinates.filter(|_| ok),
            violation: ok.then_some(appraisal.violation),
        }
    }

    /// Neighbours of what was found, and of what promises most, join the pool.
    fn widen(&mut self, rng: &mut ChaCha8Rng, best: &[Point]) -> Result<(), StageError> {
        if best.is_empty() {
            return Ok(());
        }
        let mut cells = BTreeSet::new();
        let neighbours = (0..NEIGHBOURS).map(|i| {
            let mut point = best[i % best.len()].clone();
            let random = self.space.sample(rng);
            let gene = rng.random_range(0..point.genes.len());
            point.genes[gene] = random.genes[gene];
            point
        });
        let mut neighbours: Vec<Point> = neighbours.collect();
        neighbours.retain(|point| {
            let cell = self.space.cell(point);
            !self.pooled.contains(&cell) && cells.insert(cell)
        });
        let predictions = self.predictions(&neighbours)?;
        self.add(neighbours, predictions);
        Ok(())
    }

    /// What is believed of a prediction; at a point, with the residuals learnt so far.
    fn belief<'b>(
        &self,
        prediction: &'b Prediction,
        learnt: Option<(&Point, &BTreeMap<String, Residual>)>,
    ) -> Belief<'b> {
        let logs = prediction.logs.iter().map(|(metric, (log, doubts))| {
            let (mean, sd) = learnt.map_or((0.0, 0.0), |(point, residuals)| {
                let place = self.place(point, *log, doubts);
                let known = residuals.get(metric.as_str());
                known.map_or_else(|| unknown(&place), |known| known.at(&place))
            });
            (metric.as_str(), (log + mean, sd))
        });
        let believed = match (prediction.outcome, prediction.passes) {
            (_, false) => 0.0,
            (Outcome::Ok, true) => BELIEVED,
            (_, true) => DOUBTFUL,
        };
        let ends_well = learnt.map_or(believed, |(point, _)| {
            self.feasibility.at(&self.unit(point), believed)
        });
        Belief {
            stated: &prediction.stated,
            logs: logs.collect(),
            ends_well: if prediction.passes { ends_well } else { 0.0 },
        }
    }

    fn place(&self, point: &Point, log: f64, doubts: &[f64]) -> Place {
        let mut features = vec![OFF, GROWS * log];
        features.extend(doubts.iter().map(|doubt| DOUBTED * doubt));
        Place {
            features,
            genes: self.unit(point),
        }
    }

    /// Genes of which those that differ are about as far apart as the ends of an ordered one.
    fn unit(&self, point: &Point) -> Vec<f64> {
        self.space.one_hot(point)
    }

    /// The best candidates of the pool to ask for, `n` at most; the most promising ones of all
    /// become the leaders.
    fn best(&mut self, n: usize, seed: u64) -> Vec<Point> {
        let residuals = residuals(&self.observed);
        let front = self.found.iter().map(|(_, at)| at.clone()).collect();
        let metrics = self
            .pool
            .first()
            .map_or(0, |first| first.prediction.logs.len());
        let mut acquisition = Acquisition::new(self.predictor.judge(), front, metrics, seed);
        let open = self.pool.iter().filter(|candidate| {
            candidate.prediction.comes_up()
                && !self.told.contains(&self.space.cell(&candidate.point))
        });
        let mut open: Vec<_> = open
            .map(|candidate| {
                let point = &candidate.point;
                let belief = self.belief(&candidate.prediction, Some((point, &residuals)));
                let outcomes = acquisition.outcomes(&belief);
                (point, belief, outcomes)
            })
            .collect();
        let mut asked: Vec<Point> = Vec::with_capacity(n);
        let mut leaders = Vec::new();
        while asked.len() < n && !open.is_empty() {
            let promises = open
                .iter()
                .map(|(_, belief, outcomes)| acquisition.promise(outcomes, belief.ends_well));
            let promises: Vec<Promise> = promises.collect();
            let mut order: Vec<usize> = (0..open.len()).collect();
            order.sort_by(|a, b| promises[*b].compare(promises[*a]));
            if asked.is_empty() {
                let gain = promises[order[0]].gain;
                let enough = |least: f64| gain >= least * acquisition.volume();
                self.exhausted = !self.least_gain.is_none_or(enough);
                let first = order.iter().take(LEADERS);
                leaders = first.map(|place| open[*place].0.clone()).collect();
            }
            let (point, belief, _) = open.swap_remove(order[0]);
            acquisition.expect(&belief);
            asked.push(point.clone());
        }
        self.leaders = leaders;
        asked
    }

    fn learn(&mut self, point: &Point, result: &CandidateRow) -> Result<(), StageError> {
        self.told.insert(self.space.cell(point));
        let ended_well = result.outcome == Outcome::Ok;
        let came_up = ended_well || result.outcome == Outcome::Aborted;
        self.feasibility.learn(self.unit(point), came_up);
        if !ended_well {
            return Ok(());
        }
        let predictions = self.predictions(std::slice::from_ref(point))?;
        for (metric, (log, doubts)) in predictions.into_iter().flat_map(|p| p.logs) {
            if let Some(measured) = number(result, &metric) {
                let off = to_log(measured) - log;
                let place = self.place(point, log, &doubts);
                self.observed.entry(metric).or_default().push((place, off));
            }
        }
        let judge: &Judge = self.predictor.judge();
        if result.feasible
            && let Some(at) = judge.coordinates(result)
        {
            self.found.push((point.clone(), at));
        }
        Ok(())
    }
}

/// By metric, how the simulator is off.
fn residuals(observed: &BTreeMap<String, Vec<(Place, f64)>>) -> BTreeMap<String, Residual> {
    let learnt = observed
        .iter()
        .filter_map(|(metric, observed)| Some((metric.clone(), Residual::learn(observed)?)));
    learnt.collect()
}

/// Of what the simulator evaluated, `n` points: half by fronts, half of the rest by its least
/// violation, in the order of evaluation.
fn best_and_others(seen: Vec<(Point, Evaluation)>, n: usize) -> Vec<Point> {
    let feasible = |evaluation: &Evaluation| evaluation.constraint_violation() == 0.0;
    let scores: Vec<&[f64]> = seen
        .iter()
        .filter(|(_, evaluation)| feasible(evaluation))
        .filter_map(|(_, evaluation)| evaluation.objectives.as_deref())
        .collect();
    let mut fronts = front_numbers(&scores).into_iter();
    let ranked = seen.into_iter().map(|(point, evaluation)| {
        let violation = evaluation.constraint_violation();
        let front = if violation == 0.0 {
            fronts.next()
        } else {
            None
        };
        (front.unwrap_or(u64::MAX), violation, point)
    });
    let mut ranked: Vec<(u64, f64, Point)> = ranked.collect();
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut others = ranked.split_off(ranked.len().min(n / 2));
    others.retain(|(_, violation, _)| violation.is_finite());
    others.sort_by(|a, b| a.1.total_cmp(&b.1));
    // Evenly over the rest: those with more room to the limits, and those just beyond them.
    let step = (others.len() / (n / 2).max(1)).max(1);
    let others = others.into_iter().step_by(step).take(n / 2);
    let all = ranked.into_iter().chain(others);
    all.map(|(_, _, point)| point).collect()
}

impl Proposer<CandidateRow, StageError> for Transfer<'_> {
    fn ask(&mut self, n: usize) -> Result<Vec<Point>, StageError> {
        if self.pool.is_empty() {
            self.fill()?;
        }
        let seed = Digest::of_value("transfer", &json!([self.seed, self.told.len()])).seed();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut around: Vec<Point> = self.found.iter().map(|(point, _)| point.clone()).collect();
        around.extend(self.leaders.clone());
        self.widen(&mut rng, &around)?;
        let mut asked = self.best(n, seed);
        if self.exhausted {
            return Ok(Vec::new());
        }
        for point in &mut asked {
            let drawn = rng.random::<f64>();
            if self.told.len() < MODEL_ALONE {
                continue;
            }
            if drawn < RANDOM_SHARE {
                *point = self.space.sample(&mut rng);
            } else if self.told.len() >= SIMULATOR_TRUSTED && drawn < RANDOM_SHARE + TPE_SHARE {
                *point = self.tpe.ask(1).pop().unwrap_or_else(|| point.clone());
            }
        }
        Ok(asked)
    }

    fn tell(
        &mut self,
        told: &[(Point, Evaluation)],
        results: &[CandidateRow],
    ) -> Result<(), StageError> {
        self.tpe.tell(told);
        for ((point, _), result) in told.iter().zip(results) {
            self.learn(point, result)?;
        }
        Ok(())
    }
}
