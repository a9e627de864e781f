use sbt_engine::StageError;
use sbt_schemas::{CounterfactualRow, Population, Provenance};
use sbt_statistics::mean;
use sbt_trials::{Config, Factor, TrialRunner, TrialSpec, tail_start};

const FACTORS: usize = Factor::ALL.len();
/// Worlds: one for each set of factors that are taken away, as a bit mask.
const WORLDS: usize = 1 << FACTORS;

/// What each factor costs configurations, by simulating the same draws without it: Shapley shares
/// of the mean E2E, with t-intervals over draws. Empty on a real server.
///
/// # Errors
/// When the run is being stopped.
pub(crate) fn counterfactual(
    runner: &TrialRunner<'_>,
    configs: &[&Config],
    draws: &[u64],
) -> Result<Vec<CounterfactualRow>, StageError> {
    let worlds = configs.iter().flat_map(|config| {
        let of_draws = draws.iter();
        let of_draws = of_draws.map(move |draw| TrialSpec::new((*config).clone(), *draw));
        of_draws.flat_map(|spec| (0..WORLDS).map(move |world| (spec.clone(), factors(world))))
    });
    let mut e2e = runner.e2e_without(&worlds.collect::<Vec<_>>())?;
    for world in e2e.iter_mut().flatten() {
        world.sort_by(f64::total_cmp);
    }
    let mut rows = Vec::new();
    for (config, of_config) in configs.iter().zip(e2e.chunks(WORLDS * draws.len())) {
        for population in [Population::All, Population::Tail] {
            let draws = of_config
                .chunks(WORLDS)
                .filter_map(|worlds| values(worlds, population))
                .collect::<Vec<_>>();
            rows.extend(shares(config, population, &draws));
        }
    }
    Ok(rows)
}

fn factors(world: usize) -> Vec<Factor> {
    let numbered = Factor::ALL.into_iter().enumerate();
    let taken = numbered.filter(|(i, _)| world & (1 << i) != 0);
    taken.map(|(_, factor)| factor).collect()
}

/// Mean E2E of a population in each world, whose E2E stand in rising order; none when a world has
/// nobody in it.
fn values(worlds: &[Option<Vec<f64>>], population: Population) -> Option<Vec<f64>> {
    let mean = |e2e: &Option<Vec<f64>>| {
        let e2e = e2e.as_ref()?;
        let from = match population {
            Population::All => 0,
            Population::Tail | Population::Excess => tail_start(e2e.len()),
        };
        let of_population = &e2e[from..];
        (!of_population.is_empty())
            .then(|| of_population.iter().sum::<f64>() / of_population.len() as f64)
    };
    worlds.iter().map(mean).collect()
}

/// Shapley value of each factor: what taking it away saves, on average over the orders in which
/// factors can be taken away.
fn shapley(values: &[f64]) -> [f64; FACTORS] {
    let factorial = |n: usize| (1..=n).product::<usize>() as f64;
    std::array::from_fn(|factor| {
        let without = (0..WORLDS).filter(|world| world & (1 << factor) == 0);
        let weighted = without.map(|world| {
            let taken = world.count_ones() as usize;
            let orders = factorial(taken) * factorial(FACTORS - taken - 1);
            orders / factorial(FACTORS) * (values[world] - values[world | (1 << factor)])
        });
        weighted.sum()
    })
}

fn shares(config: &Config, population: Population, draws: &[Vec<f64>]) -> Vec<CounterfactualRow> {
    let whole: f64 = draws.iter().map(|values| values[0]).sum();
    let by_draw: Vec<[f64; FACTORS]> = draws.iter().map(|values| shapley(values)).collect();
    let of_factor = |i: usize| by_draw.iter().map(|shares| shares[i]).collect::<Vec<f64>>();
    let named = Factor::ALL.iter().enumerate();
    let mut parts: Vec<(&str, Vec<f64>)> = named
        .map(|(i, factor)| (factor.name(), of_factor(i)))
        .collect();
    parts.push(("rest", draws.iter().map(|v| v[WORLDS - 1]).collect()));
    let rows = parts.into_iter().filter_map(|(factor, seconds)| {
        let over_draws = mean(&seconds)?;
        Some(CounterfactualRow {
            config_id: config.id(),
            config_name: config.name.clone(),
            population,
            factor: factor.to_owned(),
            seconds: over_draws.mean,
            seconds_lo: over_draws.bounds.map(|(low, _)| low),
            seconds_hi: over_draws.bounds.map(|(_, high)| high),
            share: seconds.iter().sum::<f64>() / whole,
            n_draws: over_draws.n as u64,
            provenance: Provenance::Simulated,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_factors_that_do_not_interact_are_what_each_saves() {
        let saves = [4.0, 2.0, 1.0, 0.0];
        let value = |world: usize| {
            let taken = (0..FACTORS).filter(|i| world & (1 << i) != 0);
            10.0 - taken.map(|i| saves[i]).sum::<f64>()
        };
        let values: Vec<f64> = (0..WORLDS).map(value).collect();
        for (share, saves) in shapley(&values).into_iter().zip(saves) {
            assert!((share - saves).abs() < 1e-12);
        }
    }

    /// Either of two factors makes requests wait as long as the other is there.
    #[test]
    fn factors_that_need_both_to_go_share_equally_and_add_up() {
        let value = |world: usize| if world & 3 == 3 { 1.0 } else { 9.0 };
        let values: Vec<f64> = (0..WORLDS).map(value).collect();
        assert_eq!(shapley(&values), [4.0, 4.0, 0.0, 0.0]);
        let config = Config {
            name: "c".to_owned(),
            knobs: std::collections::BTreeMap::new(),
        };
        let rows = shares(&config, Population::All, &[values.clone(), values]);
        let total: f64 = rows.iter().map(|row| row.share).sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert_eq!(rows.last().map(|row| row.seconds), Some(1.0));
    }
}
