use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sbt_trials::Config;

use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;

/// Draws to find a configuration that was not evaluated yet.
const FRESH_DRAWS: usize = 100;

/// A search: what may be chosen, how often, and under which names.
pub(crate) struct Study<'a> {
    /// Prefix of the configurations' names.
    pub(crate) name: &'a str,
    pub(crate) space: &'a Space,
    pub(crate) budget: usize,
    /// Configurations that are evaluated together.
    pub(crate) batch: usize,
    /// Seed of the points that replace repeated ones.
    pub(crate) seed: u64,
}

/// Who asks in a study: a sampler, or one who looks at the results themselves and may fail.
pub(crate) trait Proposer<T, E> {
    /// As [`Sampler::ask`].
    fn ask(&mut self, n: usize) -> Result<Vec<Point>, E>;

    /// As [`Sampler::tell`], with the results that the evaluations are of.
    fn tell(&mut self, told: &[(Point, Evaluation)], results: &[T]) -> Result<(), E>;
}

impl<T, E> Proposer<T, E> for Box<dyn Sampler> {
    fn ask(&mut self, n: usize) -> Result<Vec<Point>, E> {
        Ok(self.as_mut().ask(n))
    }

    fn tell(&mut self, told: &[(Point, Evaluation)], _: &[T]) -> Result<(), E> {
        self.as_mut().tell(told);
        Ok(())
    }
}

impl Study<'_> {
    /// Asks, evaluates and tells until the budget is used up or nothing new is found. `evaluate`
    /// gets configurations and the number of those before them; it returns one result and what it
    /// was worth for each, in order; nothing for the rest ends the study. No configuration is evaluated twice: a repeated one is
    /// replaced by a random one.
    pub(crate) fn run<T, E>(
        &self,
        sampler: &mut dyn Proposer<T, E>,
        mut evaluate: impl FnMut(&[Config], usize) -> Result<Vec<(T, Evaluation)>, E>,
    ) -> Result<Vec<T>, E> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut results: Vec<T> = Vec::with_capacity(self.budget);
        let mut known = BTreeSet::new();
        while results.len() < self.budget {
            let asked = sampler.ask(self.batch.min(self.budget - results.len()))?;
            let asked = asked.into_iter();
            let fresh: Vec<Point> = asked
                .filter_map(|point| self.fresh(point, &mut known, &mut rng))
                .collect();
            if fresh.is_empty() {
                break;
            }
            let evaluated = evaluate(&self.configs(&fresh, results.len()), results.len())?;
            let ended = evaluated.len() < fresh.len();
            let mut told = Vec::with_capacity(fresh.len());
            let before = results.len();
            for (point, (result, evaluation)) in fresh.into_iter().zip(evaluated) {
                told.push((point, evaluation));
                results.push(result);
            }
            sampler.tell(&told, &results[before..])?;
            if ended {
                break;
            }
        }
        Ok(results)
    }

    /// The point, or a random one when its configuration is known; none when draws find only
    /// known ones.
    fn fresh(
        &self,
        mut point: Point,
        known: &mut BTreeSet<String>,
        rng: &mut ChaCha8Rng,
    ) -> Option<Point> {
        for _ in 0..FRESH_DRAWS {
            let config = self.config(&point, String::new());
            if known.insert(config.id()) {
                return Some(point);
            }
            point = self.space.sample(rng);
        }
        None
    }

    fn configs(&self, points: &[Point], start: usize) -> Vec<Config> {
        let numbered = points.iter().zip(start..);
        numbered
            .map(|(point, i)| self.config(point, format!("{}-{i:03}", self.name)))
            .collect()
    }

    fn config(&self, point: &Point, name: String) -> Config {
        let knobs: BTreeMap<_, _> = self.space.decode(point);
        Config { name, knobs }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use sbt_trials::Knob;

    use super::*;
    use crate::dimension::Dimension;
    use crate::genetic::Nsga2;
    use crate::random::Random;

    fn space() -> Space {
        Space::of([
            (
                "a".to_owned(),
                Dimension::Int {
                    min: 0,
                    max: 9,
                    step: 1,
                    log: false,
                },
            ),
            ("b".to_owned(), Dimension::Bool),
        ])
    }

    fn nsga2(space: &Space) -> Box<dyn Sampler> {
        Box::new(Nsga2::new(space, 4, 1))
    }

    fn study(space: &Space, budget: usize) -> Study<'_> {
        Study {
            name: "test",
            space,
            budget,
            batch: 4,
            seed: 3,
        }
    }

    /// Small `a` with `b` is best; 9 is rejected by the server, odd ones violate a constraint.
    fn worth(config: &Config) -> Evaluation {
        let Knob::Int(a) = config.knobs["a"] else {
            unreachable!()
        };
        let b = config.knobs["b"] == Knob::Bool(true);
        let ok = a != 9;
        Evaluation {
            objectives: ok.then(|| vec![a as f64, f64::from(u8::from(!b))]),
            violation: ok.then_some((a % 2) as f64),
        }
    }

    fn run(study: &Study<'_>, mut sampler: Box<dyn Sampler>) -> Vec<Config> {
        let evaluate = |configs: &[Config], _: usize| {
            let worth = configs.iter().map(|config| (config.clone(), worth(config)));
            Ok::<_, Infallible>(worth.collect())
        };
        study.run(&mut sampler, evaluate).expect("it cannot fail")
    }

    #[test]
    fn the_budget_is_used_up_without_a_repeat() {
        let space = space();
        let samplers: [Box<dyn Sampler>; 2] = [Box::new(Random::new(&space, 1)), nsga2(&space)];
        for sampler in samplers {
            let configs = run(&study(&space, 15), sampler);
            let ids: BTreeSet<String> = configs.iter().map(Config::id).collect();
            assert_eq!((configs.len(), ids.len()), (15, 15));
            assert_eq!(configs[7].name, "test-007");
        }
    }

    #[test]
    fn a_space_smaller_than_the_budget_is_searched_once() {
        let space = space();
        let configs = run(&study(&space, 100), nsga2(&space));
        assert_eq!(configs.len(), 20);
    }

    #[test]
    fn what_failed_is_told_and_not_repaired() {
        let space = space();
        let configs = run(&study(&space, 20), nsga2(&space));
        let failed = configs
            .iter()
            .filter(|config| worth(config).objectives.is_none());
        assert_eq!(failed.count(), 2);
    }

    #[test]
    fn a_stopped_search_goes_on_where_it_stood() {
        let space = space();
        let whole = run(&study(&space, 14), nsga2(&space));
        let mut calls = 0;
        let stopped: Result<Vec<Config>, &str> =
            study(&space, 14).run(&mut nsga2(&space), |configs, _| {
                calls += 1;
                if calls > 2 {
                    return Err("killed");
                }
                Ok(configs
                    .iter()
                    .map(|config| (config.clone(), worth(config)))
                    .collect())
            });
        assert_eq!(stopped, Err("killed"));
        assert_eq!(run(&study(&space, 14), nsga2(&space)), whole);
    }
}
