use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::point::Point;
use crate::space::Space;

/// Share of variables that take part in a crossover, and of those that swap.
const SBX_VARIABLE: f64 = 0.5;
const SBX_SWAP: f64 = 0.5;
/// Distribution index of the mutation.
const PM_ETA: f64 = 20.0;
/// Share of individuals that mutate.
const PM_INDIVIDUAL: f64 = 0.9;
/// Share of mutations that jump, as uniform and boundary mutation do (Michalewicz 1996). Chosen: without
/// them half of the runs on OSY never reach an end of the front, as with pymoo.
const PM_JUMP: f64 = 0.05;
/// Genes nearer than this are equal: there is nothing between them.
const EQUAL: f64 = 1e-14;

/// How two parents cross.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crossover {
    /// Distribution index: larger stays nearer to the parents.
    pub(crate) eta: f64,
    /// Share of pairs that cross at all.
    pub(crate) pairs: f64,
}

/// Simulated binary crossover (Deb and Agrawal 1995) of the ordered genes, uniform crossover of
/// the others.
pub(crate) fn crossover(
    space: &Space,
    parents: (&Point, &Point),
    how: Crossover,
    rng: &mut ChaCha8Rng,
) -> (Point, Point) {
    let mut children = (parents.0.clone(), parents.1.clone());
    if rng.random::<f64>() >= how.pairs {
        return children;
    }
    for (i, dimension) in space.dimensions().enumerate() {
        let (a, b) = (parents.0.genes[i], parents.1.genes[i]);
        let takes_part = rng.random::<f64>() < SBX_VARIABLE;
        let (mut c, mut d) = (a, b);
        if dimension.categories().is_some() {
            if takes_part {
                (c, d) = (b, a);
            }
        } else if takes_part && (a - b).abs() > EQUAL {
            (c, d) = blend(a, b, how.eta, rng.random());
            if rng.random::<f64>() < SBX_SWAP {
                (c, d) = (d, c);
            }
        }
        children.0.genes[i] = c;
        children.1.genes[i] = d;
    }
    children
}

/// Children of two genes in 0..1, with the spread bounded so that both stay inside.
fn blend(a: f64, b: f64, eta: f64, u: f64) -> (f64, f64) {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let distance = high - low;
    let spread = |beta: f64| {
        let alpha = 2.0 - beta.powf(-(eta + 1.0));
        let q = if u <= 1.0 / alpha {
            u * alpha
        } else {
            1.0 / (2.0 - u * alpha)
        };
        q.powf(1.0 / (eta + 1.0))
    };
    let below = spread(1.0 + 2.0 * low / distance);
    let above = spread(1.0 + 2.0 * (1.0 - high) / distance);
    let middle = low + high;
    let first = 0.5 * (middle - below * distance);
    let second = 0.5 * (middle + above * distance);
    (first.clamp(0.0, 1.0), second.clamp(0.0, 1.0))
}

/// Polynomial mutation (Deb and Goyal 1996) of the ordered genes, a fresh draw for the others.
pub(crate) fn mutate(space: &Space, point: &mut Point, rng: &mut ChaCha8Rng) {
    if rng.random::<f64>() >= PM_INDIVIDUAL {
        return;
    }
    let per_variable = (1.0 / point.genes.len() as f64).min(0.5);
    for (gene, dimension) in point.genes.iter_mut().zip(space.dimensions()) {
        if rng.random::<f64>() >= per_variable {
            continue;
        }
        *gene = match dimension.categories() {
            Some(_) => dimension.sample(rng),
            None => moved(*gene, rng),
        };
    }
}

/// Near the gene as a rule; now and then anywhere, or at an end.
fn moved(gene: f64, rng: &mut ChaCha8Rng) -> f64 {
    if rng.random::<f64>() >= PM_JUMP {
        shift(gene, rng.random())
    } else if rng.random::<bool>() {
        rng.random()
    } else {
        f64::from(u8::from(rng.random::<bool>()))
    }
}

fn shift(gene: f64, u: f64) -> f64 {
    let power = 1.0 / (PM_ETA + 1.0);
    let delta = if u <= 0.5 {
        let inside = 2.0 * u + (1.0 - 2.0 * u) * (1.0 - gene).powf(PM_ETA + 1.0);
        inside.powf(power) - 1.0
    } else {
        let inside = 2.0 * (1.0 - u) + 2.0 * (u - 0.5) * gene.powf(PM_ETA + 1.0);
        1.0 - inside.powf(power)
    };
    (gene + delta).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn children_stay_inside_and_keep_their_mean_when_no_bound_is_near(a in 0.4..0.6_f64, b in 0.4..0.6_f64, u in 0.0..1.0_f64) {
            prop_assume!((a - b).abs() > 1e-6);
            let (c, d) = blend(a, b, 15.0, u);
            prop_assert!((0.0..=1.0).contains(&c) && (0.0..=1.0).contains(&d));
            prop_assert!(((c + d) - (a + b)).abs() < 0.05);
        }

        #[test]
        fn mutants_stay_inside(gene in 0.0..=1.0_f64, u in 0.0..1.0_f64) {
            prop_assert!((0.0..=1.0).contains(&shift(gene, u)));
        }
    }
}
