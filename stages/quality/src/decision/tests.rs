//! How often the decision is wrong, by simulation with a fixed seed.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use sbt_schemas::Verdict;

use super::{Pair, compare, holm, judge};

const ALPHA: f64 = 0.05;

/// Verdicts on simulated suites.
fn verdicts(
    runs: u64,
    n: usize,
    margin: f64,
    mut pair: impl FnMut(&mut ChaCha8Rng) -> Pair,
) -> Vec<Verdict> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..runs)
        .map(|run| {
            let pairs: Vec<Pair> = (0..n).map(|_| pair(&mut rng)).collect();
            let found = compare(&pairs, ALPHA, run).unwrap();
            judge(&found.inference, found.inference.p_worse, margin, ALPHA)
        })
        .collect()
}

fn share(verdicts: &[Verdict], verdict: Verdict) -> f64 {
    let count = verdicts.iter().filter(|v| **v == verdict).count();
    count as f64 / verdicts.len() as f64
}

/// Right or wrong: the reference is right at 0.7; `lost` and `gained` are shares of all items.
fn answers(lost: f64, gained: f64) -> impl FnMut(&mut ChaCha8Rng) -> Pair {
    move |rng| {
        let draw: f64 = rng.random();
        let pair = |reference: bool, variant: bool| Pair {
            reference: f64::from(reference),
            variant: f64::from(variant),
        };
        match draw {
            d if d < lost => pair(true, false),
            d if d < 0.7 => pair(true, true),
            d if d < 0.7 + gained => pair(false, true),
            _ => pair(false, false),
        }
    }
}

#[test]
fn variant_that_loses_the_margin_seldom_passes() {
    for n in [20, 60, 200, 600] {
        for (lost, gained) in [(0.05, 0.0), (0.08, 0.03), (0.15, 0.10)] {
            let found = verdicts(2_000, n, 0.05, answers(lost, gained));
            let passed = share(&found, Verdict::Pass);
            assert!(passed <= ALPHA + 0.02, "n {n}, lost {lost}: {passed}");
        }
    }
}

#[test]
fn variant_as_good_is_seldom_called_worse() {
    for n in [20, 100, 400] {
        let found = verdicts(2_000, n, 0.02, answers(0.06, 0.06));
        let failed = share(&found, Verdict::Fail);
        assert!(failed <= ALPHA + 0.01, "n {n}: {failed}");
    }
}

#[test]
fn enough_items_decide_either_way() {
    let good = verdicts(300, 2_000, 0.05, answers(0.03, 0.03));
    assert!(share(&good, Verdict::Pass) > 0.95);
    let bad = verdicts(300, 600, 0.05, answers(0.15, 0.03));
    assert!(share(&bad, Verdict::Fail) > 0.95);
}

#[test]
fn number_of_items_that_would_decide_does() {
    let (lost, gained, margin) = (0.05, 0.05, 0.03);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = answers(lost, gained);
    let pairs: Vec<Pair> = (0..20_000).map(|_| draw(&mut rng)).collect();
    let n = compare(&pairs, ALPHA, 0).unwrap().n_to_decide(margin);
    // 6.18 * 0.1 / 0.03^2 = 687, as published tables have it
    assert!((600..800).contains(&n), "{n}");
    let found = verdicts(400, n as usize, margin, answers(lost, gained));
    let passed = share(&found, Verdict::Pass);
    assert!((0.7..0.9).contains(&passed), "{passed}");
}

/// Scores between 0 and 1, as of summaries.
fn scores(loss: f64) -> impl FnMut(&mut ChaCha8Rng) -> Pair {
    move |rng| {
        let mut noise = || (0..4).map(|_| rng.random::<f64>()).sum::<f64>() / 4.0 - 0.5;
        let reference = 0.5 + noise() / 4.0;
        Pair {
            reference,
            variant: reference - loss + noise() / 2.0,
        }
    }
}

#[test]
fn graded_scores_keep_the_level_too() {
    for n in [16, 40] {
        let found = verdicts(200, n, 0.05, scores(0.05));
        let passed = share(&found, Verdict::Pass);
        assert!(passed <= ALPHA + 0.04, "n {n}: {passed}");
        let found = verdicts(200, n, 0.05, scores(0.0));
        let failed = share(&found, Verdict::Fail);
        assert!(failed <= ALPHA + 0.04, "n {n}: {failed}");
    }
}

#[test]
fn families_together_keep_the_level() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut draw = answers(0.1, 0.1);
    let runs = 1_000;
    let wrong = (0..runs).filter(|run| {
        let p = (0..5).map(|_| {
            let pairs: Vec<Pair> = (0..40).map(|_| draw(&mut rng)).collect();
            compare(&pairs, ALPHA, *run).unwrap().inference.p_worse
        });
        holm(&p.collect::<Vec<f64>>()).iter().any(|p| *p <= ALPHA)
    });
    let wrong = wrong.count() as f64 / runs as f64;
    assert!(wrong <= ALPHA + 0.01, "{wrong}");
}

#[test]
fn nothing_asked_is_no_comparison() {
    assert_eq!(compare(&[], ALPHA, 0), None);
}
