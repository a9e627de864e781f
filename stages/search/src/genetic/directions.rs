//! Reference directions of NSGA-III: points spread evenly over the plane where shares sum to 1.

/// Directions for some objectives, as many as a population of `size` can follow: one layer
/// (Das and Dennis 1998), or an outer and an inner one where a layer has no point off the rim
/// (Deb and Jain 2014).
pub(crate) fn directions(objectives: usize, size: usize) -> Vec<Vec<f64>> {
    let outer = partitions(objectives, size).max(1);
    let mut all = layer(objectives, outer);
    if outer < objectives {
        let inner = partitions(objectives, size.saturating_sub(all.len()));
        let to_the_middle = |share: f64| (share + 1.0 / objectives as f64) / 2.0;
        let inner = layer(objectives, inner).into_iter();
        all.extend(inner.map(|shares| shares.into_iter().map(to_the_middle).collect()));
    }
    all
}

/// Most partitions of each objective that give `size` points at most.
fn partitions(objectives: usize, size: usize) -> usize {
    (1..=size)
        .take_while(|&partitions| points(objectives, partitions) <= size)
        .last()
        .unwrap_or(0)
}

/// Points of a layer: ways to share `partitions` among the objectives.
fn points(objectives: usize, partitions: usize) -> usize {
    (1..objectives).fold(1_usize, |ways, k| ways.saturating_mul(partitions + k) / k)
}

/// Every way to share `partitions` equal parts; none for none.
fn layer(objectives: usize, partitions: usize) -> Vec<Vec<f64>> {
    let mut shares = Vec::new();
    if partitions > 0 {
        share(objectives, partitions, &mut Vec::new(), &mut shares);
    }
    let of_all = |parts: Vec<usize>| {
        let parts = parts.into_iter();
        parts.map(|part| part as f64 / partitions as f64).collect()
    };
    shares.into_iter().map(of_all).collect()
}

fn share(objectives: usize, left: usize, so_far: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    if so_far.len() + 1 >= objectives {
        all.push(so_far.iter().copied().chain([left]).collect());
        return;
    }
    for part in 0..=left {
        so_far.push(part);
        share(objectives, left - part, so_far, all);
        so_far.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::directions;

    #[test]
    fn counts_are_those_of_deb_and_jain() {
        // Deb and Jain 2014, table I: objectives, population, directions.
        for (objectives, size, count) in [
            (3, 92, 91),
            (5, 212, 210),
            (8, 156, 156),
            (10, 276, 275),
            (15, 136, 135),
        ] {
            assert_eq!(directions(objectives, size).len(), count, "{objectives}");
        }
    }

    #[test]
    fn shares_sum_to_one_and_differ() {
        for (objectives, size) in [(1, 10), (2, 10), (3, 2), (3, 92), (8, 156)] {
            let all = directions(objectives, size);
            for (i, shares) in all.iter().enumerate() {
                assert_eq!(shares.len(), objectives);
                assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                assert!(!all[..i].contains(shares));
            }
        }
    }
}
