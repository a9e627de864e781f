use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;

use super::Item;

/// In an order that the seed fixes.
pub(crate) fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    items.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    items
}

/// Draws `count` items (0 is all), with the shares of families and tags as in the whole. What the
/// shares leave over goes to the strata with the greatest remainders.
pub(crate) fn draw(items: Vec<Item>, count: u64, seed: u64) -> Vec<Item> {
    let total = items.len();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count == 0 || count >= total {
        return items;
    }
    let mut strata: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        let (family, tags) = item.stratum();
        let name = format!("{family} {}", tags.join(","));
        strata.entry(name).or_default().push(place);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut strata: Vec<Vec<usize>> = strata.into_values().collect();
    strata
        .iter_mut()
        .for_each(|places| places.shuffle(&mut rng));
    let share = |places: &Vec<usize>| places.len() * count;
    let mut takes: Vec<usize> = strata.iter().map(|p| share(p) / total).collect();
    let mut order: Vec<(usize, u64, usize)> = strata
        .iter()
        .enumerate()
        .map(|(place, p)| (total - share(p) % total, rng.random(), place))
        .collect();
    order.sort_unstable();
    let left = count - takes.iter().sum::<usize>();
    for (_, _, place) in order.into_iter().take(left) {
        takes[place] += 1;
    }
    let drawn = strata.iter().zip(takes);
    let mut drawn: Vec<usize> = drawn
        .flat_map(|(places, take)| places.iter().copied().take(take))
        .collect();
    drawn.sort_unstable();
    let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
    drawn
        .into_iter()
        .filter_map(|place| items[place].take())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::suite::{Family, SuiteSpec, load};

    fn shares(items: &[Item]) -> BTreeMap<&[String], usize> {
        let mut shares = BTreeMap::new();
        for item in items {
            *shares.entry(item.tags.as_slice()).or_default() += 1;
        }
        shares
    }

    proptest! {
        #[test]
        fn draw_has_its_size_and_its_shares(count in 1_u64..90, seed in 0_u64..50) {
            let spec = SuiteSpec::shipped(Family::Qa);
            let all = load(&spec, "", None, 0).unwrap();
            let drawn = draw(all.clone(), count, seed);
            let size = all.len();
            prop_assert_eq!(drawn.len(), size.min(count as usize));
            prop_assert_eq!(&drawn, &draw(all.clone(), count, seed));
            let (of_drawn, of_all) = (shares(&drawn), shares(&all));
            for (tags, n) in of_all {
                let exact = n as f64 * drawn.len() as f64 / size as f64;
                let found = of_drawn.get(tags).copied().unwrap_or(0) as f64;
                prop_assert!((found - exact).abs() < 1.0, "{:?}: {} of {}", tags, found, exact);
            }
        }
    }
}
