use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sbt_schemas::CandidateRow;
use sbt_trials::{Config, Judge};

use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;

/// Draws to find a configuration that was not evaluated yet.
const FRESH_DRAWS: usize = 100;

/// A search under way: a sampler, its budget, and what was evaluated so far.
pub(crate) struct Study<'a> {
    pub(crate) name: &'a str,
    pub(crate) space: &'a Space,
    pub(crate) judge: &'a Judge,
    pub(crate) budget: usize,
    pub(crate) batch: usize,
    pub(crate) seed: u64,
}

impl Study<'_> {
    /// Asks, evaluates and tells until the budget is used up or nothing new is left. `evaluate`
    /// returns one assessed candidate per configuration, in order. No configuration is evaluated
    /// twice: a repeated one is replaced by a random one.
    pub(crate) fn run<E>(
        &self,
        sampler: &mut dyn Sampler,
        mut evaluate: impl FnMut(&[Config], usize) -> Result<Vec<CandidateRow>, E>,
    ) -> Result<Vec<CandidateRow>, E> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ u64::MAX);
        let mut candidates: Vec<CandidateRow> = Vec::with_capacity(self.budget);
        let mut known: BTreeMap<String, ()> = BTreeMap::new();
        while candidates.len() < self.budget {
            let wanted = self.batch.min(self.budget - candidates.len());
            let mut points = Vec::with_capacity(wanted);
            let mut configs = Vec::with_capacity(wanted);
            for point in sampler.ask(wanted) {
                let name = format!("{}-{:03}", self.name, candidates.len() + configs.len());
                if let Some((point, config)) = self.fresh(point, name, &known, &mut rng) {
                    known.insert(config.id(), ());
                    points.push(point);
                    configs.push(config);
                }
            }
            if configs.is_empty() {
                return Ok(candidates);
            }
            let evaluated = evaluate(&configs, candidates.len())?;
            let told: Vec<(Point, Evaluation)> = points
                .into_iter()
                .zip(evaluated.iter().map(|candidate| self.evaluation(candidate)))
                .collect();
            sampler.tell(&told);
            candidates.extend(evaluated);
        }
        Ok(candidates)
    }

    fn fresh(
        &self,
        mut point: Point,
        name: String,
        known: &BTreeMap<String, ()>,
        rng: &mut ChaCha8Rng,
    ) -> Option<(Point, Config)> {
        let mut config = Config {
            name,
            knobs: BTreeMap::new(),
        };
        for _ in 0..FRESH_DRAWS {
            config.knobs = self.space.decode(&point);
            if !known.contains_key(&config.id()) {
                return Some((point, config));
            }
            point = self.space.sample(rng);
        }
        None
    }

    fn evaluation(&self, candidate: &CandidateRow) -> Evaluation {
        Evaluation {
            objectives: self.judge.score(candidate),
            violation: candidate.violation,
        }
    }
}
