use std::collections::BTreeMap;

use sbt_schemas::StudyRow;
use sbt_statistics::mean;

use crate::searches::{Search, Searches};
use crate::truth::Truth;

/// The sampler that others have to beat.
pub(crate) const RANDOM: &str = "random";

/// What one search had reached after each evaluation: share of the best hypervolume, and regret.
type Curve = Vec<(f64, Option<f64>)>;

/// The rows of one scenario.
pub(crate) fn rows(scenario: &str, searches: &Searches, truth: &Truth) -> Vec<StudyRow> {
    let mut curves: BTreeMap<&str, BTreeMap<&str, Curve>> = BTreeMap::new();
    let of_scenario = searches.iter();
    for (search, candidates) in of_scenario.filter(|(search, _)| search.scenario == scenario) {
        let Search { sampler, seed, .. } = search;
        let curve = (1..=candidates.len()).map(|evals| truth.reached(&candidates[..evals]));
        let of_sampler = curves.entry(sampler).or_default();
        of_sampler.insert(seed, curve.collect());
    }
    let random = curves.get(RANDOM).cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for (sampler, seeds) in &curves {
        let longest = seeds.values().map(Vec::len).max().unwrap_or(0);
        let of_sampler =
            (1..=longest).filter_map(|evals| row(scenario, sampler, evals, seeds, &random));
        rows.extend(of_sampler);
    }
    rows
}

fn row(
    scenario: &str,
    sampler: &str,
    evals: usize,
    seeds: &BTreeMap<&str, Curve>,
    random: &BTreeMap<&str, Curve>,
) -> Option<StudyRow> {
    let at = |curve: &Curve| curve.get(evals - 1).copied();
    let reached: Vec<(f64, Option<f64>)> = seeds.values().filter_map(at).collect();
    let volumes: Vec<f64> = reached.iter().map(|(volume, _)| *volume).collect();
    let regrets: Option<Vec<f64>> = reached.iter().map(|(_, regret)| *regret).collect();
    let volume = mean(&volumes)?;
    let of_random: Vec<f64> = random.values().filter_map(at).map(|(v, _)| v).collect();
    let of_random = mean(&of_random);
    let paired = seeds.iter().filter_map(|(seed, curve)| {
        let random = random.get(seed).and_then(at)?;
        Some(at(curve)?.0 - random.0)
    });
    let paired: Vec<f64> = paired.collect();
    let gain = mean(&paired).filter(|_| sampler != RANDOM);
    Some(StudyRow {
        scenario: scenario.to_owned(),
        sampler: sampler.to_owned(),
        evals: evals as u64,
        n_seeds: volumes.len() as u64,
        hypervolume: volume.mean,
        hypervolume_lo: volume.bounds.map(|(lo, _)| lo),
        hypervolume_hi: volume.bounds.map(|(_, hi)| hi),
        random_hypervolume: of_random.map(|random| random.mean),
        random_hypervolume_lo: of_random.and_then(|random| Some(random.bounds?.0)),
        random_hypervolume_hi: of_random.and_then(|random| Some(random.bounds?.1)),
        regret: regrets.and_then(|regrets| Some(mean(&regrets)?.mean)),
        gain: gain.map(|gain| gain.mean),
        gain_lo: gain.and_then(|gain| Some(gain.bounds?.0)),
        gain_hi: gain.and_then(|gain| Some(gain.bounds?.1)),
        beats_random: gain.and_then(|gain| Some(gain.bounds?.0 > 0.0)),
    })
}
