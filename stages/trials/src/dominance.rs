/// Whether `a` is nowhere worse than `b` and somewhere better; all coordinates minimised.
#[must_use]
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    let nowhere_worse = a.iter().zip(b).all(|(a, b)| a <= b);
    nowhere_worse && a.iter().zip(b).any(|(a, b)| a < b)
}

/// Front of each point: 0 for what nothing dominates, then what only front 0 dominates, …
/// (non-dominated sorting of Deb et al. 2002).
#[must_use]
pub fn front_numbers<P: AsRef<[f64]>>(points: &[P]) -> Vec<u64> {
    let mut dominated_by: Vec<usize> = vec![0; points.len()];
    let mut beats: Vec<Vec<usize>> = vec![Vec::new(); points.len()];
    for (i, a) in points.iter().enumerate() {
        for (j, b) in points.iter().enumerate() {
            if dominates(a.as_ref(), b.as_ref()) {
                beats[i].push(j);
                dominated_by[j] += 1;
            }
        }
    }
    let mut fronts = vec![0; points.len()];
    let mut current: Vec<usize> = (0..points.len())
        .filter(|&i| dominated_by[i] == 0)
        .collect();
    let mut number = 0;
    while !current.is_empty() {
        let mut next = Vec::new();
        for &i in &current {
            fronts[i] = number;
            for &j in &beats[i] {
                dominated_by[j] -= 1;
                if dominated_by[j] == 0 {
                    next.push(j);
                }
            }
        }
        current = next;
        number += 1;
    }
    fronts
}

#[cfg(test)]
mod tests {
    use super::{dominates, front_numbers};

    #[test]
    fn equal_points_do_not_dominate_each_other() {
        assert!(!dominates(&[1.0, 2.0], &[1.0, 2.0]));
        assert!(dominates(&[1.0, 2.0], &[1.0, 3.0]));
        assert!(!dominates(&[0.0, 3.0], &[1.0, 2.0]));
    }

    #[test]
    fn fronts_peel_off_in_order() {
        let points = [[2.0, 2.0], [1.0, 3.0], [3.0, 3.0], [4.0, 4.0], [2.0, 2.0]];
        assert_eq!(front_numbers(&points), [0, 0, 1, 2, 0]);
    }
}
